// Image bytes: what they are, and whether they are whole. Pure.
// The engine turns an image it cannot read into a line of text without a word, so it is checked here.

/// Image formats the engine can read.
enum ImageFormat: String, Sendable {
  case png = "image/png"
  case jpeg = "image/jpeg"
  case gif = "image/gif"
  case webp = "image/webp"

  /// The format the bytes begin like, whatever anybody says they are.
  init?(sniffing bytes: [UInt8]) {
    if bytes.starts(with: [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]) {
      self = .png
    } else if bytes.starts(with: [0xFF, 0xD8, 0xFF]) {
      self = .jpeg
    } else if bytes.starts(with: Array("GIF87a".utf8)) || bytes.starts(with: Array("GIF89a".utf8)) {
      self = .gif
    } else if bytes.count >= 12, bytes.starts(with: Array("RIFF".utf8)),
      bytes[8..<12].elementsEqual("WEBP".utf8)
    {
      self = .webp
    } else {
      return nil
    }
  }

  /// What is wrong with the bytes, nil if they are whole as far as the container tells.
  func defect(in bytes: [UInt8]) -> String? {
    switch self {
    case .png: Self.pngDefect(bytes)
    case .jpeg: bytes.suffix(4096).lastRange(of: [0xFF, 0xD9]) == nil ? "it ends early" : nil
    case .gif: bytes.count < 14 || bytes.last != 0x3B ? "it ends early" : nil
    case .webp: Self.webpDefect(bytes)
    }
  }

  /// Walks the chunks: lengths, checksums, and a proper beginning and end (PNG specification §5).
  private static func pngDefect(_ bytes: [UInt8]) -> String? {
    var offset = 8
    var isFirst = true
    var hasData = false
    while offset + 12 <= bytes.count {
      let length = Int(bigEndian(bytes, offset))
      guard length <= bytes.count - offset - 12 else { return "it ends early" }
      let typeAndData = bytes[offset + 4..<offset + 8 + length]
      let type = String(decoding: typeAndData.prefix(4), as: UTF8.self)
      guard bigEndian(bytes, offset + 8 + length) == CRC32.checksum(typeAndData) else {
        return "its checksum is wrong"
      }
      guard isFirst == (type == "IHDR") else { return "it has no header" }
      isFirst = false
      if type == "IDAT" { hasData = true }
      if type == "IEND" { return hasData ? nil : "it has no pixels" }
      offset += 12 + length
    }
    return "it ends early"
  }

  private static func webpDefect(_ bytes: [UInt8]) -> String? {
    let size = (0..<4).reduce(0) { $0 | Int(bytes[4 + $1]) << (8 * $1) }
    return size + 8 > bytes.count || bytes.count < 20 ? "it ends early" : nil
  }

  private static func bigEndian(_ bytes: [UInt8], _ offset: Int) -> UInt32 {
    bytes[offset..<offset + 4].reduce(0) { $0 << 8 | UInt32($1) }
  }
}

/// CRC-32 as PNG uses it (ISO 3309).
private enum CRC32 {
  private static let table: [UInt32] = (0..<256).map { index in
    (0..<8).reduce(UInt32(index)) { value, _ in value & 1 == 1 ? 0xEDB8_8320 ^ value >> 1 : value >> 1 }
  }

  static func checksum(_ bytes: ArraySlice<UInt8>) -> UInt32 {
    let table = table
    return ~bytes.reduce(UInt32.max) { table[Int(UInt8(truncatingIfNeeded: $0) ^ $1)] ^ $0 >> 8 }
  }
}

extension ArraySlice<UInt8> {
  fileprivate func lastRange(of pattern: [UInt8]) -> Range<Int>? {
    guard count >= pattern.count else { return nil }
    return (startIndex...endIndex - pattern.count).reversed().first {
      self[$0..<$0 + pattern.count].elementsEqual(pattern)
    }
    .map { $0..<$0 + pattern.count }
  }
}
