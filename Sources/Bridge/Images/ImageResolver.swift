// Images of a request to `data:` URLs, which the engine takes inline: nothing touches the disk.
// Decides what may be read; RemoteImage and LocalImage do the reading.

import FoundationEssentials

/// Fetches, reads and checks the images of chat requests.
@LoopActor
final class ImageResolver {
  static let maxImagesPerRequest = 50
  private static let maxImageLimitsPerRequest = 4
  /// A few bytes can stand for any number of pixels, and the engine unpacks them all.
  private nonisolated static let maxPixels = 64_000_000
  /// Of a file: URL: a path of the longest kind (PATH_MAX), each of its bytes escaped.
  private static let maxFileURLBytes = 3 * 4096 + 16
  /// Bytes of memory for each byte of a picture that was read or fetched: it becomes base64 in the request, and again in
  /// the line for the engine.
  private static let memoryFactor = 3

  private let maxBytes: Int
  private let remote: RemoteImage
  private let local: LocalImage
  private let places: ImagePlaces

  init(configuration: Configuration) {
    maxBytes = configuration[Settings.imageLimit]
    places = ImagePlaces(hasSeveralKeys: configuration[Settings.apiKeys].count > 1)
    remote = RemoteImage(
      maxBytes: maxBytes,
      timeout: configuration[Settings.imageTimeout],
      reach: configuration[Settings.imageAllowPrivate] ? .everywhere : .init()
    )
    local = LocalImage(
      roots: [configuration.workingDirectory] + configuration[Settings.imageRoots], maxBytes: maxBytes)
  }

  /// The request with every image replaced by a checked `data:` URL. Images of messages before `firstMessage`, which
  /// will not be sent, are left alone. Given up when the client leaves.
  func resolve(
    _ chat: ChatRequest,
    from firstMessage: Int = 0,
    for request: Request
  ) async throws(APIError) -> ChatRequest {
    var chat = chat
    chat.uncheckedMessages = firstMessage
    let wish = ImageWish(of: request.principal)
    request.onClientGone = { wish.abandon() }
    defer { request.onClientGone = nil }
    var count = 0
    var bytes = 0
    for index in chat.messages.indices.dropFirst(firstMessage) {
      for partIndex in chat.messages[index].parts.indices {
        guard case .image(let url, let path) = chat.messages[index].parts[partIndex] else { continue }
        count += 1
        guard count <= Self.maxImagesPerRequest else {
          throw .invalid("A request may carry at most \(Self.maxImagesPerRequest) images.", param: path)
        }
        let image: CheckedImage
        do throws(ImageFailure) {
          image = try await checked(url, request, wish)
          bytes += image.byteCount
          if bytes > maxBytes * Self.maxImageLimitsPerRequest { throw .tooMany }
        } catch {
          throw error.apiError(path)
        }
        chat.largestImage = max(chat.largestImage, image.weight)
        chat.messages[index].parts[partIndex] = .image(url: image.dataURL, path: path)
      }
    }
    return chat
  }

  /// Resolves the images that were left alone before, now that all messages are sent after all.
  func resolveRest(of chat: ChatRequest, for request: Request) async throws(APIError) -> ChatRequest {
    guard chat.uncheckedMessages > 0 else { return chat }
    var rest = chat
    rest.messages = Array(chat.messages.prefix(chat.uncheckedMessages))
    rest = try await resolve(rest, for: request)
    var whole = chat
    whole.messages.replaceSubrange(0..<chat.uncheckedMessages, with: rest.messages)
    whole.uncheckedMessages = 0
    whole.largestImage = rest.largestImage
    return whole
  }

  /// Waits until the engine may unpack the images of a request. The place is to be given back once it has.
  func unpackingPlace(for chat: ChatRequest, _ request: Request) async throws(APIError) -> PermitQueue.Ticket? {
    guard chat.largestImage > 0 else { return nil }
    let wish = ImageWish(of: request.principal)
    request.onClientGone = { wish.abandon() }
    defer { request.onClientGone = nil }
    do throws(ImageFailure) {
      return try await places.unpacking(weight: chat.largestImage, wish)
    } catch {
      throw error.apiError("messages")
    }
  }

  private struct CheckedImage: Sendable {
    let dataURL: String
    let byteCount: Int
    /// See `ImageFormat.weight`.
    let weight: Int
  }

  /// Checksums and base64 of megabytes would hold up the loop.
  private func checked(
    _ url: String, _ request: Request, _ wish: ImageWish
  ) async throws(ImageFailure) -> CheckedImage {
    let scheme = Self.scheme(of: url)
    let principal = request.principal
    if scheme == "data" {
      return try await HeavyWork.run(for: principal) { [maxBytes] in
        Self.inline(url, maxBytes: maxBytes).flatMap(Self.check)
      }.get()
    }
    let bytes = try await contents(url, scheme: scheme, wish)
    // What was sent inline is held already.
    if request.body?.share.grow(by: bytes.count * Self.memoryFactor) == false { throw .overloaded }
    return try await HeavyWork.run(for: principal) { Self.check(bytes) }.get()
  }

  /// What is before the colon, in lower case; empty if it is none that is known.
  private static func scheme(of url: String) -> String {
    let bytes = url.utf8.span
    return ["data", "file", "http", "https"].first { bytes.hasPrefix(inAnyCase: $0 + ":") } ?? ""
  }

  private nonisolated static func check(_ bytes: [UInt8]) -> Result<CheckedImage, ImageFailure> {
    guard let format = ImageFormat(sniffing: bytes) else {
      return .failure(.refused("it is no PNG, JPEG, GIF or WebP image"))
    }
    if let defect = format.defect(in: bytes) { return .failure(.refused("the image is damaged: \(defect)")) }
    guard let weight = format.weight(in: bytes) else {
      return .failure(.refused("the image is damaged: its size cannot be told"))
    }
    if weight > maxPixels {
      return .failure(
        .refused("it has more than \(maxPixels / 1_000_000) million pixels, or half as many with 16 bits a sample")
      )
    }
    let dataURL = "data:\(format.rawValue);base64,\(Data(bytes).base64EncodedString())"
    return .success(CheckedImage(dataURL: dataURL, byteCount: bytes.count, weight: weight))
  }

  private func contents(
    _ url: String,
    scheme: String,
    _ wish: ImageWish
  ) async throws(ImageFailure) -> [UInt8] {
    switch scheme {
    case "file":
      guard url.utf8.count <= Self.maxFileURLBytes else { throw .refused("the file's path is too long") }
      return try await places.local(wish) { () async throws(ImageFailure) in
        try await self.local.read(fileURL: url)
      }
    case "http", "https":
      return try await places.remote(wish) { () async throws(ImageFailure) in
        try await self.remote.fetch(url, wish)
      }
    default: throw .refused("images come as data:, https:, http: or file: URLs")
    }
  }

  /// What stands before the comma of a data: URL: a type and its parameters.
  private nonisolated static let maxDataHeaderBytes = 1024

  private nonisolated static func inline(_ url: String, maxBytes: Int) -> Result<[UInt8], ImageFailure> {
    let bytes = url.utf8.span
    guard let comma = bytes.firstIndex(of: UInt8(ascii: ",")), comma <= maxDataHeaderBytes else {
      return .failure(.refused("the data: URL has no data"))
    }
    let mark = ";base64"
    guard comma >= mark.utf8.count, bytes.extracting(comma - mark.utf8.count..<comma).isEqual(inAnyCase: mark)
    else {
      return .failure(.refused("the data: URL is not base64-encoded"))
    }
    let encoded = bytes.extracting(comma + 1..<bytes.count)
    guard encoded.count / 4 * 3 <= maxBytes + 3 else { return .failure(.tooLarge) }
    guard let data = Base64.decode(encoded) else { return .failure(.refused("the data: URL is not valid base64")) }
    return .success(data)
  }
}
