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
    let size = littleEndian(bytes, 4, 4)
    return size + 8 > bytes.count || bytes.count < 20 ? "it ends early" : nil
  }

  /// Width times height, as the beginning of the file tells; nil where it does not.
  func pixels(in bytes: [UInt8]) -> Int? {
    let size: (width: Int, height: Int)? =
      switch self {
      case .png: bytes.count < 24 ? nil : (Int(Self.bigEndian(bytes, 16)), Int(Self.bigEndian(bytes, 20)))
      case .gif: bytes.count < 10 ? nil : (Self.littleEndian(bytes, 6, 2), Self.littleEndian(bytes, 8, 2))
      case .jpeg: Self.jpegSize(bytes)
      case .webp: Self.webpSize(bytes)
      }
    return size.map { $0.width * $0.height }
  }

  /// From the frame header, SOF0 to SOF15 but for the three markers in between that are none (ITU T.81, table B.1).
  private static func jpegSize(_ bytes: [UInt8]) -> (width: Int, height: Int)? {
    var offset = 2
    while offset + 9 <= bytes.count, bytes[offset] == 0xFF {
      let marker = bytes[offset + 1]
      if marker == 0xFF {
        offset += 1
        continue
      }
      if (0xC0...0xCF).contains(marker), ![0xC4, 0xC8, 0xCC].contains(marker) {
        return (
          Int(bytes[offset + 7]) << 8 | Int(bytes[offset + 8]),
          Int(bytes[offset + 5]) << 8 | Int(bytes[offset + 6])
        )
      }
      offset += 2 + (Int(bytes[offset + 2]) << 8 | Int(bytes[offset + 3]))
    }
    return nil
  }

  /// From the first chunk: VP8 (RFC 6386 §9.1), VP8L or VP8X (WebP container specification).
  private static func webpSize(_ bytes: [UInt8]) -> (width: Int, height: Int)? {
    guard bytes.count >= 30 else { return nil }
    switch String(decoding: bytes[12..<16], as: UTF8.self) {
    case "VP8 ": return (littleEndian(bytes, 26, 2) & 0x3FFF, littleEndian(bytes, 28, 2) & 0x3FFF)
    case "VP8L":
      let bits = littleEndian(bytes, 21, 4)
      return ((bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1)
    case "VP8X": return (littleEndian(bytes, 24, 3) + 1, littleEndian(bytes, 27, 3) + 1)
    default: return nil
    }
  }

  private static func littleEndian(_ bytes: [UInt8], _ offset: Int, _ count: Int) -> Int {
    (0..<count).reduce(0) { $0 | Int(bytes[offset + $1]) << (8 * $1) }
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
