// An image that stands in the request itself, as a `data:` URL (RFC 2397): read to be checked, and handed on as it was sent
// where that is what would be written for it.

import FoundationEssentials

/// The image of a `data:` URL.
struct InlineImage: Sendable {
  /// What stands before the comma: a type and its parameters.
  private static let maxHeadBytes = 1024

  /// The image, to be checked.
  let bytes: [UInt8]
  private let sentURL: String
  /// Whether the part after the comma is what an encoder writes for `bytes`.
  private let isCanonical: Bool

  /// Reads an image of at most `maxBytes` bytes.
  static func read(_ url: String, maxBytes: Int) -> Result<InlineImage, ImageFailure> {
    let text = url.utf8.span
    guard let comma = text.firstIndex(of: UInt8(ascii: ",")), comma <= maxHeadBytes else {
      return .failure(.refused("the data: URL has no data"))
    }
    let mark = ";base64"
    guard comma >= mark.utf8.count, text.extracting(comma - mark.utf8.count..<comma).isEqual(inAnyCase: mark)
    else {
      return .failure(.refused("the data: URL is not base64-encoded"))
    }
    let encoded = text.extracting(comma + 1..<text.count)
    guard encoded.count / 4 * 3 <= maxBytes + 3 else { return .failure(.tooLarge) }
    if let bytes = Base64.decodeCanonical(encoded) {
      return .success(InlineImage(bytes: bytes, sentURL: url, isCanonical: true))
    }
    guard let bytes = Base64.decode(encoded) else {
      return .failure(.refused("the data: URL is not valid base64"))
    }
    return .success(InlineImage(bytes: bytes, sentURL: url, isCanonical: false))
  }

  /// The image as a `data:` URL of the type that it really is. Where the client sent just that, it is the client's own text:
  /// an image of megabytes is neither encoded nor copied.
  func dataURL(as format: ImageFormat) -> String {
    let isSent = isCanonical && sentURL.utf8.starts(with: Self.head(format).utf8)
    return isSent ? sentURL : Self.dataURL(bytes, as: format)
  }

  /// A `data:` URL of an image from elsewhere.
  static func dataURL(_ bytes: [UInt8], as format: ImageFormat) -> String {
    head(format) + Data(bytes).base64EncodedString()
  }

  private static func head(_ format: ImageFormat) -> String { "data:\(format.rawValue);base64," }
}
