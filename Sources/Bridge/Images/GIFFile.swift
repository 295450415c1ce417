// A GIF file as a sequence of blocks (GIF89a specification). Pure.

enum GIFFile {
  private static let trailer: UInt8 = 0x3B
  private static let extensionBlock: UInt8 = 0x21
  private static let frameBlock: UInt8 = 0x2C

  private struct Frame {
    let size: PixelSize
    /// The bits of a colour index.
    let codeBits: Int
    /// The blocks of its data.
    let data: [Range<Int>]
    let end: Int
  }

  /// What is wrong with a file, nil if its first frame is whole and it has an end.
  static func defect(in bytes: Span<UInt8>) -> String? {
    guard bytes.count >= 14 else { return "it ends early" }
    guard let screen = screenSize(bytes), screen.width > 0, screen.height > 0 else {
      return "its size cannot be told"
    }
    var offset = firstBlock(bytes)
    var hasFrame = false
    while offset < bytes.count {
      switch bytes[offset] {
      case trailer: return hasFrame ? nil : "it has no pixels"
      case extensionBlock: offset = subBlocks(bytes, from: offset + 2).end
      case frameBlock:
        guard let frame = frame(bytes, at: offset) else { return "it ends early" }
        if !hasFrame, decodedPixels(bytes, frame) < frame.size.width * frame.size.height {
          return "its pixels are damaged"
        }
        hasFrame = true
        offset = frame.end
      default: return "it has an unknown part"
      }
    }
    return "it ends early"
  }

  /// The screen or, where that is larger, a frame, as far as the file goes: both are unpacked.
  static func size(in bytes: Span<UInt8>) -> PixelSize? {
    guard var largest = screenSize(bytes) else { return nil }
    var offset = firstBlock(bytes)
    while offset < bytes.count {
      if bytes[offset] == extensionBlock {
        offset = subBlocks(bytes, from: offset + 2).end
      } else if bytes[offset] == frameBlock, let frame = frame(bytes, at: offset) {
        if frame.size.width * frame.size.height > largest.width * largest.height { largest = frame.size }
        offset = frame.end
      } else {
        break
      }
    }
    return largest
  }

  private static func screenSize(_ bytes: Span<UInt8>) -> PixelSize? {
    guard bytes.count >= 10 else { return nil }
    return PixelSize(width: littleEndian(bytes, 6), height: littleEndian(bytes, 8))
  }

  /// Behind the screen and the table of colours, if there is one.
  private static func firstBlock(_ bytes: Span<UInt8>) -> Int {
    bytes.count > 10 ? 13 + tableBytes(bytes[10]) : bytes.count
  }

  private static func tableBytes(_ flags: UInt8) -> Int { flags & 0x80 == 0 ? 0 : 3 << (Int(flags & 7) + 1) }

  private static func frame(_ bytes: Span<UInt8>, at offset: Int) -> Frame? {
    guard offset + 10 <= bytes.count else { return nil }
    let code = offset + 10 + tableBytes(bytes[offset + 9])
    guard code < bytes.count, (1...11).contains(bytes[code]) else { return nil }
    let blocks = subBlocks(bytes, from: code + 1)
    return Frame(
      size: PixelSize(width: littleEndian(bytes, offset + 5), height: littleEndian(bytes, offset + 7)),
      codeBits: Int(bytes[code]), data: blocks.ranges, end: blocks.end)
  }

  /// Blocks with a length each, up to an empty one.
  private static func subBlocks(_ bytes: Span<UInt8>, from start: Int) -> (ranges: [Range<Int>], end: Int) {
    var ranges: [Range<Int>] = []
    var offset = start
    while offset < bytes.count {
      let length = Int(bytes[offset])
      offset += 1
      if length == 0 { return (ranges, offset) }
      ranges.append(offset..<min(offset + length, bytes.count))
      offset += length
    }
    return (ranges, bytes.count)
  }

  /// How many pixels the data of a frame stands for. Only the lengths of the strings are kept that its codes mean.
  private static func decodedPixels(_ bytes: Span<UInt8>, _ frame: Frame) -> Int {
    let clear = 1 << frame.codeBits
    var lengths = [Int](repeating: 1, count: 4097)
    var next = clear + 2
    var codeSize = frame.codeBits + 1
    var before = 0
    var pixels = 0
    var bits = 0
    var bitCount = 0
    for range in frame.data {
      for index in range {
        bits |= Int(bytes[index]) << bitCount
        bitCount += 8
        while bitCount >= codeSize {
          let code = bits & (1 << codeSize - 1)
          bits >>= codeSize
          bitCount -= codeSize
          if code == clear {
            next = clear + 2
            codeSize = frame.codeBits + 1
            before = 0
          } else if code == clear + 1 {
            return pixels
          } else {
            guard code < next || code == next && before > 0 && next < 4096 else { return pixels }
            let length = code < clear ? 1 : code < next ? lengths[code] : before + 1
            if before > 0, next < 4096 {
              lengths[next] = before + 1
              next += 1
              if next == 1 << codeSize, codeSize < 12 { codeSize += 1 }
            }
            before = length
            pixels += length
          }
        }
      }
    }
    return pixels
  }

  private static func littleEndian(_ bytes: Span<UInt8>, _ offset: Int) -> Int {
    Int(bytes[offset]) | Int(bytes[offset + 1]) << 8
  }
}
