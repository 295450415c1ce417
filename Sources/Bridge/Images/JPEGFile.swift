// A JPEG file as a sequence of segments (ITU T.81, annex B). Pure.
// Decoders forgive much and in different ways; where one of them could see another picture than this does, the file is
// refused.

enum JPEGFile {
  private enum Marker {
    static let startOfImage: UInt8 = 0xD8
    static let endOfImage: UInt8 = 0xD9
    static let startOfScan: UInt8 = 0xDA
    static let quantisation: UInt8 = 0xDB
    static let huffman: UInt8 = 0xC4
    /// Baseline, extended and progressive: the processes the engine can decode.
    static let frames: ClosedRange<UInt8> = 0xC0...0xC2
    /// Other frames, arithmetic coding, hierarchical files and a number of lines that is told later.
    static let unsupported = Set<UInt8>([0xC3] + Array(0xC5...0xCF) + [0xDC, 0xDE, 0xDF])
    /// Those without a length.
    static let bare = Set<UInt8>([0x01] + Array(0xD0...0xD9))
    static let restarts: ClosedRange<UInt8> = 0xD0...0xD7
  }

  private struct Segment {
    let marker: UInt8
    /// Behind the length.
    let content: Range<Int>
  }

  /// What is wrong with a file, nil if it is whole and can be decoded.
  static func defect(in bytes: Span<UInt8>) -> String? {
    var offset = 2
    var hasFrame = false
    var hasScan = false
    var tables: Set<UInt8> = []
    while offset < bytes.count {
      if let marker = markerByte(bytes, at: offset), marker.value == Marker.endOfImage {
        return hasScan ? nil : "it has no pixels"
      }
      guard let segment = segment(bytes, at: offset) else {
        return offset + 4 > bytes.count ? "it ends early" : "its size cannot be told"
      }
      guard segment.content.upperBound <= bytes.count else { return "it ends early" }
      switch segment.marker {
      case Marker.frames:
        guard !hasFrame, isFrame(bytes, segment.content) else { return "its size cannot be told" }
        hasFrame = true
      case Marker.huffman, Marker.quantisation:
        guard areTables(bytes, segment) else { return "its tables are wrong" }
        tables.insert(segment.marker)
      case Marker.startOfScan:
        guard hasFrame, tables.count == 2 else { return "it cannot be decoded" }
        hasScan = true
        offset = scanEnd(bytes, from: segment.content.upperBound)
        continue
      case _ where Marker.unsupported.contains(segment.marker): return "it is of a kind that cannot be decoded"
      default: break
      }
      offset = segment.content.upperBound
    }
    return "it ends early"
  }

  /// From the frame header.
  static func size(in bytes: Span<UInt8>) -> PixelSize? {
    var offset = 2
    while let segment = segment(bytes, at: offset) {
      if Marker.frames.contains(segment.marker) {
        let start = segment.content.lowerBound
        guard start + 5 <= bytes.count else { return nil }
        return PixelSize(width: bigEndian(bytes, start + 3), height: bigEndian(bytes, start + 1))
      }
      offset = segment.content.upperBound
    }
    return nil
  }

  /// The marker at an offset, behind any bytes that only fill.
  private static func markerByte(_ bytes: Span<UInt8>, at offset: Int) -> (value: UInt8, end: Int)? {
    guard offset < bytes.count, bytes[offset] == 0xFF else { return nil }
    var index = offset
    while index < bytes.count, bytes[index] == 0xFF { index += 1 }
    return index < bytes.count ? (bytes[index], index + 1) : nil
  }

  /// Nil where no segment with a length begins.
  private static func segment(_ bytes: Span<UInt8>, at offset: Int) -> Segment? {
    guard let marker = markerByte(bytes, at: offset), marker.value != 0, !Marker.bare.contains(marker.value),
      marker.end + 2 <= bytes.count, case let length = bigEndian(bytes, marker.end), length >= 2
    else { return nil }
    return Segment(marker: marker.value, content: marker.end + 2..<marker.end + length)
  }

  /// Precision, height, width, and three bytes for each component: eight bits, and one, three or four components.
  private static func isFrame(_ bytes: Span<UInt8>, _ content: Range<Int>) -> Bool {
    guard content.count >= 6, bytes[content.lowerBound] == 8 else { return false }
    let components = Int(bytes[content.lowerBound + 5])
    return content.count == 6 + 3 * components && [1, 3, 4].contains(components)
      && bigEndian(bytes, content.lowerBound + 1) > 0 && bigEndian(bytes, content.lowerBound + 3) > 0
  }

  /// Whether the tables fill their segment: behind what a decoder reads of it, it would look for another frame.
  private static func areTables(_ bytes: Span<UInt8>, _ segment: Segment) -> Bool {
    var offset = segment.content.lowerBound
    let end = segment.content.upperBound
    while offset < end {
      if segment.marker == Marker.quantisation {
        offset += bytes[offset] >> 4 == 0 ? 65 : 129
      } else {
        guard offset + 17 <= end else { return false }
        var symbols = 0
        for length in 1...16 { symbols += Int(bytes[offset + length]) }
        offset += 17 + symbols
      }
    }
    return offset == end
  }

  /// The next marker behind the data of a scan, in which a byte of ones is followed by a zero or a restart.
  private static func scanEnd(_ bytes: Span<UInt8>, from start: Int) -> Int {
    var offset = start
    while let mark = bytes.firstIndex(of: 0xFF, from: offset) {
      guard mark + 1 < bytes.count else { break }
      let next = bytes[mark + 1]
      if next != 0, next != 0xFF, !Marker.restarts.contains(next) { return mark }
      offset = next == 0xFF ? mark + 1 : mark + 2
    }
    return bytes.count
  }

  private static func bigEndian(_ bytes: Span<UInt8>, _ offset: Int) -> Int {
    Int(bytes[offset]) << 8 | Int(bytes[offset + 1])
  }
}
