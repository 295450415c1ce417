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

  /// What is wrong with the bytes, nil if they are whole as far as the container tells, and the engine can read what is in
  /// it. The picture itself is not unpacked.
  func defect(in bytes: [UInt8]) -> String? {
    switch self {
    case .png: Self.pngDefect(bytes)
    case .jpeg: JPEGFile.defect(in: bytes.span)
    case .gif: GIFFile.defect(in: bytes.span)
    case .webp: Self.webpDefect(bytes)
    }
  }

  /// Walks the chunks: lengths, checksums, and a proper beginning and end (PNG specification §5).
  private static func pngDefect(_ bytes: [UInt8]) -> String? {
    var offset = 8
    var isFirst = true
    var hasData = false
    var hasPalette = false
    while offset + 12 <= bytes.count {
      let length = Int(bigEndian(bytes, offset))
      guard length <= bytes.count - offset - 12 else { return "it ends early" }
      let typeAndData = bytes[offset + 4..<offset + 8 + length]
      let type = String(decoding: typeAndData.prefix(4), as: UTF8.self)
      guard bigEndian(bytes, offset + 8 + length) == CRC32.checksum(typeAndData) else {
        return "its checksum is wrong"
      }
      guard isFirst == (type == "IHDR") else { return "it has no header" }
      if isFirst, let defect = pngHeaderDefect(Array(typeAndData.dropFirst(4))) { return defect }
      isFirst = false
      switch type {
      case "IHDR": break
      case "PLTE": hasPalette = true
      case "IDAT":
        guard hasPalette || bytes[25] != pngPaletteColour else { return "it has no palette" }
        hasData = hasData || length > 0
      case "IEND": return hasData ? nil : "it has no pixels"
      // A capital first letter says that the picture cannot be understood without the chunk (§5.4).
      default: if typeAndData.first.map({ $0 & 0x20 == 0 }) == true { return "it has an unknown part" }
      }
      offset += 12 + length
    }
    return "it ends early"
  }

  private static let pngPaletteColour: UInt8 = 3
  /// Bits of a sample that each type of colour may have (PNG specification §11.2.1).
  private static let pngDepths: [UInt8: Set<UInt8>] = [
    0: [1, 2, 4, 8, 16], 2: [8, 16], pngPaletteColour: [1, 2, 4, 8], 4: [8, 16], 6: [8, 16],
  ]

  private static func pngHeaderDefect(_ header: [UInt8]) -> String? {
    guard header.count == 13, bigEndian(header, 0) > 0, bigEndian(header, 4) > 0,
      pngDepths[header[9]]?.contains(header[8]) == true, header[10] == 0, header[11] == 0, header[12] <= 1
    else { return "its header is wrong" }
    return nil
  }

  /// Walks the chunks: a still picture as large as its canvas, or frames that lie within it (WebP container specification).
  private static func webpDefect(_ bytes: [UInt8]) -> String? {
    guard bytes.count >= 20 else { return "it ends early" }
    let end = littleEndian(bytes, 4, 4) + 8
    guard end <= bytes.count else { return "it ends early" }
    guard let canvas = webpSize(bytes) else { return "it has no header" }
    var offset = 12
    var hasFrame = false
    while offset + 8 <= end {
      let length = littleEndian(bytes, offset + 4, 4)
      let start = offset + 8
      guard length <= end - start else { return "it ends early" }
      switch String(decoding: bytes[offset..<offset + 4], as: UTF8.self) {
      case "VP8 ", "VP8L":
        guard let frame = webpFrameSize(bytes, at: offset), frame == canvas else {
          return "its size is contradictory"
        }
        hasFrame = true
      case "ANMF":
        guard isFrame(bytes, start..<start + length, within: canvas) else { return "its size is contradictory" }
        hasFrame = true
      default: break
      }
      offset = start + length + length % 2
    }
    return hasFrame ? nil : "it has no pixels"
  }

  /// Whether a frame of an animation lies within the canvas, and its picture is as large as it says. A channel of opacity
  /// may come before that.
  private static func isFrame(_ bytes: [UInt8], _ content: Range<Int>, within canvas: PixelSize) -> Bool {
    let start = content.lowerBound
    guard content.count >= 24 else { return false }
    let size = PixelSize(
      width: littleEndian(bytes, start + 6, 3) + 1, height: littleEndian(bytes, start + 9, 3) + 1)
    guard 2 * littleEndian(bytes, start, 3) + size.width <= canvas.width,
      2 * littleEndian(bytes, start + 3, 3) + size.height <= canvas.height
    else { return false }
    var picture = start + 16
    if bytes[picture..<picture + 4].elementsEqual("ALPH".utf8) {
      let length = littleEndian(bytes, picture + 4, 4)
      picture += 8 + length + length % 2
    }
    return picture < content.upperBound && webpFrameSize(bytes, at: picture) == size
  }

  /// Width times height of what the engine unpacks; nil where the file does not tell.
  func pixels(in bytes: [UInt8]) -> Int? {
    let size: PixelSize? =
      switch self {
      case .png: Self.pngSize(bytes)
      case .gif: GIFFile.size(in: bytes.span)
      case .jpeg: JPEGFile.size(in: bytes.span)
      case .webp: Self.webpSize(bytes)
      }
    return size.flatMap { $0.width > 0 && $0.height > 0 ? $0.width * $0.height : nil }
  }

  /// The pixels by the memory they take, in pixels of the usual eight bits a sample; nil where the file does not tell.
  func weight(in bytes: [UInt8]) -> Int? {
    let isDeep = self == .png && bytes.count > 24 && bytes[24] == 16
    return pixels(in: bytes).map { isDeep ? 2 * $0 : $0 }
  }

  /// From the header. The specification leaves the top bit unused, and two numbers with it have a product that cannot be
  /// counted.
  private static func pngSize(_ bytes: [UInt8]) -> PixelSize? {
    guard bytes.count >= 24, case let width = bigEndian(bytes, 16), case let height = bigEndian(bytes, 20),
      width >> 31 == 0, height >> 31 == 0
    else { return nil }
    return PixelSize(width: Int(width), height: Int(height))
  }

  /// From the first chunk: VP8 (RFC 6386 §9.1), VP8L or VP8X (WebP container specification).
  private static func webpSize(_ bytes: [UInt8]) -> PixelSize? {
    guard bytes.count >= 16, bytes[12..<16].elementsEqual("VP8X".utf8) else { return webpFrameSize(bytes, at: 12) }
    guard bytes.count >= 30 else { return nil }
    return PixelSize(width: littleEndian(bytes, 24, 3) + 1, height: littleEndian(bytes, 27, 3) + 1)
  }

  /// Of the VP8 or VP8L chunk at `offset`.
  private static func webpFrameSize(_ bytes: [UInt8], at offset: Int) -> PixelSize? {
    guard offset + 13 <= bytes.count else { return nil }
    if bytes[offset..<offset + 4].elementsEqual("VP8 ".utf8) {
      guard offset + 18 <= bytes.count else { return nil }
      return PixelSize(
        width: littleEndian(bytes, offset + 14, 2) & 0x3FFF, height: littleEndian(bytes, offset + 16, 2) & 0x3FFF)
    }
    guard bytes[offset..<offset + 4].elementsEqual("VP8L".utf8) else { return nil }
    let bits = littleEndian(bytes, offset + 9, 4)
    return PixelSize(width: (bits & 0x3FFF) + 1, height: (bits >> 14 & 0x3FFF) + 1)
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
