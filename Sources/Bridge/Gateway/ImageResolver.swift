// Images of a request to `data:` URLs, which the engine takes inline: nothing touches the disk.
// Decides what may be read; RemoteImage and LocalImage do the reading.

import FoundationEssentials

/// Fetches, reads and checks the images of chat requests.
@LoopActor
final class ImageResolver {
  /// Downloads and file reads at once; more wait.
  private static let maxConcurrent = 8
  private static let maxWaiting = 256
  static let maxImagesPerRequest = 50
  private static let maxImageLimitsPerRequest = 4
  /// A few bytes can stand for any number of pixels, and the engine unpacks them all.
  private nonisolated static let maxPixels = 64_000_000

  private let maxBytes: Int
  private let remote: RemoteImage
  private let local: LocalImage
  private let permits = PermitQueue(permits: maxConcurrent, maxWaiting: maxWaiting)

  init(configuration: Configuration) {
    maxBytes = configuration[Settings.imageLimit]
    remote = RemoteImage(
      maxBytes: maxBytes,
      timeout: configuration[Settings.imageTimeout],
      reach: configuration[Settings.imageAllowPrivate] ? .everywhere : .init()
    )
    local = LocalImage(
      roots: [configuration.workingDirectory] + configuration[Settings.imageRoots], maxBytes: maxBytes)
  }

  /// The request with every image replaced by a checked `data:` URL. Images of messages before `firstMessage`, which
  /// will not be sent, are left alone.
  func resolve(
    _ chat: ChatRequest,
    from firstMessage: Int = 0,
    for request: Request
  ) async throws(APIError) -> ChatRequest {
    var chat = chat
    chat.uncheckedMessages = firstMessage
    var count = 0
    var bytes = 0
    for (index, message) in chat.messages.enumerated() where index >= firstMessage {
      for (partIndex, part) in message.parts.enumerated() {
        guard case .image(let url, let path) = part else { continue }
        count += 1
        guard count <= Self.maxImagesPerRequest else {
          throw .invalid("A request may carry at most \(Self.maxImagesPerRequest) images.", param: path)
        }
        let image: CheckedImage
        do throws(ImageFailure) {
          image = try await checked(url, request)
          bytes += image.byteCount
          if bytes > maxBytes * Self.maxImageLimitsPerRequest { throw .tooMany }
        } catch {
          throw error.apiError(path)
        }
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
    return whole
  }

  private struct CheckedImage: Sendable {
    let dataURL: String
    let byteCount: Int
  }

  /// Checksums and base64 of megabytes would hold up the loop.
  private func checked(_ url: String, _ request: Request) async throws(ImageFailure) -> CheckedImage {
    let scheme = Self.scheme(of: url)
    if scheme == "data" {
      return try await Loop.offLoop { [maxBytes] in Self.inline(url, maxBytes: maxBytes).flatMap(Self.check) }
        .get()
    }
    let bytes = try await contents(url, scheme: scheme, request.principal)
    // What was sent inline is held already.
    if request.body?.share.grow(by: bytes.count) == false { throw .overloaded }
    return try await Loop.offLoop { Self.check(bytes) }.get()
  }

  /// What is before the colon, in few enough characters that a text of megabytes is not searched for one.
  private static func scheme(of url: String) -> String {
    url.prefix(8).prefix { $0 != ":" }.lowercased()
  }

  private nonisolated static func check(_ bytes: [UInt8]) -> Result<CheckedImage, ImageFailure> {
    guard let format = ImageFormat(sniffing: bytes) else {
      return .failure(.refused("it is no PNG, JPEG, GIF or WebP image"))
    }
    if let defect = format.defect(in: bytes) { return .failure(.refused("the image is damaged: \(defect)")) }
    if let pixels = format.pixels(in: bytes), pixels > maxPixels {
      return .failure(.refused("it has more than \(maxPixels / 1_000_000) million pixels"))
    }
    let dataURL = "data:\(format.rawValue);base64,\(Data(bytes).base64EncodedString())"
    return .success(CheckedImage(dataURL: dataURL, byteCount: bytes.count))
  }

  private func contents(
    _ url: String,
    scheme: String,
    _ owner: Principal
  ) async throws(ImageFailure) -> [UInt8] {
    switch scheme {
    case "file":
      return try await limited(owner) { () async throws(ImageFailure) in try await self.local.read(fileURL: url) }
    case "http", "https":
      return try await limited(owner) { () async throws(ImageFailure) in try await self.remote.fetch(url) }
    default: throw .refused("images come as data:, https:, http: or file: URLs")
    }
  }

  private nonisolated static func inline(_ url: String, maxBytes: Int) -> Result<[UInt8], ImageFailure> {
    guard let comma = url.utf8.firstIndex(of: UInt8(ascii: ",")) else {
      return .failure(.refused("the data: URL has no data"))
    }
    guard url[..<comma].lowercased().hasSuffix(";base64") else {
      return .failure(.refused("the data: URL is not base64-encoded"))
    }
    let encoded = url[url.utf8.index(after: comma)...]
    guard encoded.utf8.count / 4 * 3 <= maxBytes + 3 else { return .failure(.tooLarge) }
    guard let data = Data(base64Encoded: String(encoded), options: .ignoreUnknownCharacters) else {
      return .failure(.refused("the data: URL is not valid base64"))
    }
    return .success([UInt8](data))
  }

  private func limited(
    _ owner: Principal,
    _ body: @LoopActor () async throws(ImageFailure) -> [UInt8]
  ) async throws(ImageFailure) -> [UInt8] {
    guard let permit = permits.enter(owner) else { throw .refused("too many images are being fetched; try again") }
    defer { permit.release() }
    guard await permit.wait() else { throw .refused("the fetch was given up") }
    return try await body()
  }
}

/// Why an image cannot be had.
enum ImageFailure: Error, Equatable {
  case refused(String)
  case tooLarge
  /// All images of the request together.
  case tooMany
  case overloaded

  /// A 400 that names the message and part, or a 413 that names the setting.
  func apiError(_ path: String) -> APIError {
    switch self {
    case .refused(let reason): .invalid("The image cannot be used: \(reason).", param: path, code: "invalid_image")
    case .overloaded: APIError(.tooMuchContent)
    case .tooMany:
      APIError(
        status: 413,
        code: "images_too_large",
        param: path,
        message: "The images of the request are together larger than four times \(Settings.imageLimit.name).",
        mayRetry: false
      )
    case .tooLarge:
      APIError(
        status: 413,
        code: "image_too_large",
        param: path,
        message: "The image is larger than \(Settings.imageLimit.name) allows; raise that setting of the bridge.",
        mayRetry: false
      )
    }
  }
}
