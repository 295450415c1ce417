// Images of a request to `data:` URLs, which the engine takes inline: nothing touches the disk.
// Decides what may be read; RemoteImage and LocalImage do the reading.

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
      timeout: configuration.paces.imageTimeout,
      reach: configuration[Settings.imageAllowPrivate] ? .everywhere : .init()
    )
    local = LocalImage(
      roots: [configuration.workingDirectory] + configuration[Settings.imageRoots], maxBytes: maxBytes)
  }

  /// The ask with every image replaced by a checked `data:` URL. Images of items before `firstItem`, which will not be
  /// sent, are left alone. Given up when the client leaves.
  func resolve(
    _ ask: Ask, from firstItem: Int = 0, for caller: any Caller
  ) async throws(ImageError) -> IllustratedAsk {
    let illustrated = ask.conversation.items.indices.dropFirst(firstItem)
      .filter { ask.conversation.items[$0].hasImages }
    guard !illustrated.isEmpty else { return IllustratedAsk(ask, uncheckedItems: firstItem) }
    var resolved = ask
    var largestImage = 0
    let wish = ImageWish(of: caller.principal)
    let leaving = caller.onClientGone { wish.abandon() }
    defer { caller.remove(leaving) }
    var sum = Sum()
    for index in illustrated {
      var parts = ask.conversation.items[index].parts
      for part in parts.indices {
        guard case .image(let url, let field) = parts[part] else { continue }
        let image: CheckedImage
        do throws(ImageFailure) {
          image = try await checked(url, caller, wish, &sum)
        } catch {
          throw ImageError(failure: error, field: field)
        }
        largestImage = max(largestImage, image.weight)
        parts[part] = .image(url: image.dataURL, field: field)
      }
      resolved.conversation.items[index].parts = parts
    }
    return IllustratedAsk(resolved, uncheckedItems: firstItem, largestImage: largestImage)
  }

  /// Resolves the images that were left alone before, now that all items are sent after all.
  func resolveRest(of ask: IllustratedAsk, for caller: any Caller) async throws(ImageError) -> IllustratedAsk {
    guard ask.uncheckedItems > 0 else { return ask }
    var start = ask.ask
    start.conversation.items = Array(start.conversation.items.prefix(ask.uncheckedItems))
    let rest = try await resolve(start, for: caller)
    var whole = ask.ask
    whole.conversation.items.replaceSubrange(0..<ask.uncheckedItems, with: rest.ask.conversation.items)
    return IllustratedAsk(whole, largestImage: max(ask.largestImage, rest.largestImage))
  }

  /// Waits until the engine may unpack images of which the largest has this weight. The place is to be given back once it
  /// has.
  func unpackingPlace(
    weight: Int, for caller: any Caller
  ) async throws(ImageError) -> PermitQueue.Ticket? {
    guard weight > 0 else { return nil }
    let wish = ImageWish(of: caller.principal)
    let leaving = caller.onClientGone { wish.abandon() }
    defer { caller.remove(leaving) }
    do throws(ImageFailure) {
      return try await places.unpacking(weight: weight, wish)
    } catch {
      throw ImageError(failure: error, field: nil)
    }
  }

  /// The images of a request so far.
  private struct Sum {
    var count = 0
    var bytes = 0
  }

  private func checked(
    _ url: String, _ caller: any Caller, _ wish: ImageWish, _ sum: inout Sum
  ) async throws(ImageFailure) -> CheckedImage {
    sum.count += 1
    guard sum.count <= Self.maxImagesPerRequest else { throw .moreThan(Self.maxImagesPerRequest) }
    let image = try await checked(url, caller, wish)
    sum.bytes += image.byteCount
    if sum.bytes > maxBytes * Self.maxImageLimitsPerRequest { throw .tooMany }
    return image
  }

  private struct CheckedImage: Sendable {
    let dataURL: String
    let byteCount: Int
    /// See `ImageFormat.weight`.
    let weight: Int
  }

  /// Checksums and base64 of megabytes would hold up the loop.
  private func checked(
    _ url: String, _ caller: any Caller, _ wish: ImageWish
  ) async throws(ImageFailure) -> CheckedImage {
    let scheme = Self.scheme(of: url)
    let principal = caller.principal
    if scheme == "data" {
      return try await HeavyWork.run(for: principal) { [maxBytes] in
        InlineImage.read(url, maxBytes: maxBytes).flatMap { Self.check($0.bytes, sentAs: $0) }
      }.get()
    }
    let bytes = try await contents(url, scheme: scheme, wish)
    // What was sent inline is held already.
    guard caller.holdsMore(bytes: bytes.count * Self.memoryFactor) else { throw .overloaded }
    return try await HeavyWork.run(for: principal) { Self.check(bytes) }.get()
  }

  /// What is before the colon, in lower case; empty if it is none that is known.
  private static func scheme(of url: String) -> String {
    let bytes = url.utf8.span
    return ["data", "file", "http", "https"].first { bytes.hasPrefix(inAnyCase: $0 + ":") } ?? ""
  }

  /// `inline` is the image as the client sent it, if it did.
  private nonisolated static func check(
    _ bytes: [UInt8], sentAs inline: InlineImage? = nil
  ) -> Result<CheckedImage, ImageFailure> {
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
    let dataURL = inline?.dataURL(as: format) ?? InlineImage.dataURL(bytes, as: format)
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
}
