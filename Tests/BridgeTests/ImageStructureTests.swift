// What a picture must be made of for the engine to read it, and for its size to be known before that.

import Testing

@testable import Bridge
@testable import BridgeTestSupport

struct ImageStructureTests {
  static let pictures: [(ImageFormat, [UInt8])] = [
    (.png, TestImage.png), (.jpeg, TestImage.jpeg), (.jpeg, TestImage.progressiveJPEG), (.gif, TestImage.gif),
    (.gif, TestImage.animatedGIF), (.webp, TestImage.webp), (.webp, TestImage.losslessWebP),
    (.webp, TestImage.alphaWebP), (.webp, TestImage.animatedWebP),
  ]

  @Test func takesWhatIsWhole() {
    for (number, (format, bytes)) in Self.pictures.enumerated() {
      #expect(ImageFormat(sniffing: bytes) == format, "\(number)")
      #expect(format.defect(in: bytes) == nil, "\(number)")
      #expect(format.pixels(in: bytes) == (format == .png ? 1 : 48), "\(number)")
    }
  }

  @Test func noticesEveryCut() {
    for (number, (format, bytes)) in Self.pictures.enumerated() {
      for count in 0..<bytes.count {
        #expect(format.defect(in: Array(bytes[..<count])) != nil, "\(number) cut at \(count)")
        _ = format.pixels(in: Array(bytes[..<count]))
      }
    }
  }

  @Test func nothingTrapsOnDamage() {
    var random = SeededGenerator(7)
    for (format, bytes) in Self.pictures {
      for _ in 0..<2000 {
        var damaged = bytes
        for _ in 0..<Int.random(in: 1...4, using: &random) {
          damaged[Int.random(in: 0..<damaged.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
        }
        _ = format.defect(in: damaged)
        _ = format.weight(in: damaged)
      }
    }
  }

  // MARK: JPEG

  /// The offset of the first segment with this marker.
  private static func offset(_ marker: UInt8, _ bytes: [UInt8] = TestImage.jpeg) -> Int {
    (0..<bytes.count - 1).first { bytes[$0] == 0xFF && bytes[$0 + 1] == marker } ?? 0
  }

  private static func jpeg(inserting extra: [UInt8], at marker: UInt8) -> [UInt8] {
    var bytes = TestImage.jpeg
    bytes.insert(contentsOf: extra, at: offset(marker))
    return bytes
  }

  private static func without(_ marker: UInt8) -> [UInt8] {
    var bytes = TestImage.jpeg
    while let start = (0..<bytes.count - 3).first(where: { bytes[$0] == 0xFF && bytes[$0 + 1] == marker }) {
      bytes.removeSubrange(start..<start + 2 + (Int(bytes[start + 2]) << 8 | Int(bytes[start + 3])))
    }
    return bytes
  }

  private static func changed(_ marker: UInt8, at place: Int, to value: [UInt8]) -> [UInt8] {
    var bytes = TestImage.jpeg
    let start = offset(marker) + place
    bytes.replaceSubrange(start..<start + value.count, with: value)
    return bytes
  }

  /// A frame header of 60,000 by 60,000 pixels.
  private static let hugeFrame: [UInt8] = [0xFF, 0xC0, 0, 11, 8, 0xEA, 0x60, 0xEA, 0x60, 1, 1, 0x11, 0]

  static let badJPEGs: [(String, [UInt8])] = [
    ("nothing in it", [0xFF, 0xD8, 0xFF, 0xD9]), ("a stray byte", jpeg(inserting: [0], at: 0xC0)),
    ("stray bytes that hide a frame", jpeg(inserting: [0x41] + hugeFrame, at: 0xC0)),
    ("a second frame", jpeg(inserting: hugeFrame, at: 0xC0)),
    ("a second frame at the end", jpeg(inserting: hugeFrame, at: 0xD9)),
    ("a frame behind the tables", leftover(0xC4, hugeFrame)), ("zeros behind the tables", leftover(0xDB, [0, 0])),
    ("no size", changed(0xC0, at: 5, to: [0, 0])), ("no width", changed(0xC0, at: 7, to: [0, 0])),
    ("twelve bits", changed(0xC0, at: 4, to: [12])), ("lossless", changed(0xC0, at: 1, to: [0xC3])),
    ("arithmetic", changed(0xC0, at: 1, to: [0xC9])),
    ("a number of lines", jpeg(inserting: [0xFF, 0xDC, 0, 4, 0, 6], at: 0xC0)),
    ("no quantisation", without(0xDB)), ("no codes", without(0xC4)), ("no scan", noScan),
    ("no frame", without(0xC0)),
    ("a restart", jpeg(inserting: [0xFF, 0xD0], at: 0xC0)),
    ("a second start", jpeg(inserting: [0xFF, 0xD8], at: 0xC0)),
    ("a segment shorter than its length", jpeg(inserting: [0xFF, 0xE5, 0, 0], at: 0xC0)),
  ]

  private static func leftover(_ marker: UInt8, _ extra: [UInt8]) -> [UInt8] {
    var bytes = TestImage.jpeg
    let start = offset(marker)
    let length = Int(bytes[start + 2]) << 8 | Int(bytes[start + 3])
    bytes.insert(contentsOf: extra, at: start + 2 + length)
    bytes[start + 2] = UInt8((length + extra.count) >> 8)
    bytes[start + 3] = UInt8((length + extra.count) & 0xFF)
    return bytes
  }

  private static var noScan: [UInt8] { Array(TestImage.jpeg[..<offset(0xDA)]) + [0xFF, 0xD9] }

  @Test(arguments: badJPEGs)
  func refusesAJPEG(with defect: String, _ bytes: [UInt8]) {
    #expect(ImageFormat.jpeg.defect(in: bytes) != nil, "\(defect)")
  }

  @Test func takesAJPEGWithHarmlessExtras() {
    for extra: [UInt8] in [[0xFF, 0xFF], [0xFF, 0xFE, 0, 6, 1, 2, 3, 4], [0xFF, 0xE1, 0, 15] + Self.hugeFrame] {
      let bytes = Self.jpeg(inserting: extra, at: 0xC0)
      #expect(ImageFormat.jpeg.defect(in: bytes) == nil)
      #expect(ImageFormat.jpeg.pixels(in: bytes) == 48)
    }
    #expect(ImageFormat.jpeg.defect(in: TestImage.jpeg + TestImage.jpeg) == nil)
  }

  // MARK: PNG

  private static func png(_ header: [UInt8], _ chunks: [(String, [UInt8])]) -> [UInt8] {
    var bytes: [UInt8] = [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]
    for (type, data) in [("IHDR", header)] + chunks {
      let content = Array(type.utf8) + data
      bytes += big(data.count) + content + big(Int(crc(content)))
    }
    return bytes
  }

  private static func big(_ value: Int) -> [UInt8] {
    (0..<4).reversed().map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }
  }

  private static func crc(_ bytes: [UInt8]) -> UInt32 {
    var crc = UInt32.max
    for byte in bytes {
      crc ^= UInt32(byte)
      for _ in 0..<8 { crc = crc & 1 == 1 ? 0xEDB8_8320 ^ crc >> 1 : crc >> 1 }
    }
    return ~crc
  }

  private static func header(_ width: Int, _ height: Int, _ depth: UInt8, _ colour: UInt8) -> [UInt8] {
    big(width) + big(height) + [depth, colour, 0, 0, 0]
  }

  @Test func refusesAPNGThatCannotBeDecoded() {
    let data: [(String, [UInt8])] = [("IDAT", [1]), ("IEND", [])]
    #expect(ImageFormat.png.defect(in: Self.png(Self.header(1, 1, 8, 2), data)) == nil)
    #expect(ImageFormat.png.defect(in: Self.png(Self.header(1, 1, 8, 3), [("PLTE", [0, 0, 0])] + data)) == nil)
    #expect(ImageFormat.png.defect(in: Self.png(Self.header(1, 1, 8, 2), [("teXt", [1])] + data)) == nil)
    for (header, chunks) in [
      (Self.header(0, 1, 8, 2), data), (Self.header(1, 0, 8, 2), data), (Self.header(1, 1, 3, 2), data),
      (Self.header(1, 1, 8, 5), data), (Self.header(1, 1, 8, 3), data),
      (Self.header(1, 1, 8, 2), [("ABCD", [1])] + data), (Self.header(1, 1, 8, 2), [("IEND", [])]),
    ] {
      #expect(ImageFormat.png.defect(in: Self.png(header, chunks)) != nil, "\(header) \(chunks.first?.0 ?? "")")
    }
  }

  /// The product of the two largest numbers is more than can be counted.
  @Test func aPNGOfImpossibleSizeHasNone() {
    let bytes = Self.png(Self.header(0xFFFF_FFFF, 0xFFFF_FFFF, 8, 2), [("IDAT", [1]), ("IEND", [])])
    #expect(ImageFormat.png.weight(in: bytes) == nil)
  }

  /// Sixteen bits a sample take twice the memory.
  @Test func weighsWhatIsUnpacked() {
    let data: [(String, [UInt8])] = [("IDAT", [1]), ("IEND", [])]
    #expect(ImageFormat.png.weight(in: Self.png(Self.header(10, 20, 8, 6), data)) == 200)
    #expect(ImageFormat.png.weight(in: Self.png(Self.header(10, 20, 16, 6), data)) == 400)
  }

  // MARK: GIF and WebP

  private static func changed(_ bytes: [UInt8], _ changes: [Int: UInt8]) -> [UInt8] {
    var bytes = bytes
    for (index, value) in changes { bytes[index] = value }
    return bytes
  }

  @Test func theSizeOfAGIFIsThatOfTheLargestThatIsUnpacked() {
    // Byte 6 is the width of the screen, byte 30 that of the frame behind a table of four colours.
    #expect(ImageFormat.gif.pixels(in: Self.changed(TestImage.gif, [6: 100])) == 600)
    #expect(ImageFormat.gif.pixels(in: Self.changed(TestImage.gif, [6: 2])) == 48)
  }

  @Test func refusesAGIFWithoutPixels() {
    let head = Array(TestImage.gif[..<25])
    #expect(ImageFormat.gif.defect(in: head + [0x3B]) != nil)
    #expect(ImageFormat.gif.defect(in: Self.changed(TestImage.gif, [6: 0])) != nil)
    // A frame with fewer pixels in it than it says.
    #expect(ImageFormat.gif.defect(in: Self.changed(TestImage.gif, [30: 9])) != nil)
    #expect(ImageFormat.gif.defect(in: TestImage.gif + [1, 2]) == nil)
  }

  @Test func refusesAWebPThatContradictsItself() {
    // Byte 24 is the width of the canvas.
    for picture in [TestImage.alphaWebP, TestImage.animatedWebP] {
      #expect(picture[24] == 7)
      #expect(ImageFormat.webp.defect(in: Self.changed(picture, [24: 4])) != nil)
    }
    #expect(ImageFormat.webp.defect(in: Self.changed(TestImage.alphaWebP, [24: 100])) != nil)
    #expect(ImageFormat.webp.pixels(in: Self.changed(TestImage.animatedWebP, [24: 99])) == 600)
    // Byte 58 is the width of the first frame.
    #expect(TestImage.animatedWebP[58] == 7)
    #expect(ImageFormat.webp.defect(in: Self.changed(TestImage.animatedWebP, [58: 6])) != nil)
    // One pixel without losses: as short as a file can be.
    let short =
      Array("RIFF".utf8) + [18, 0, 0, 0] + Array("WEBPVP8L".utf8) + [6, 0, 0, 0, 0x2F, 0, 0, 0, 0, 0x88]
    #expect(ImageFormat.webp.defect(in: short) == nil)
    #expect(ImageFormat.webp.pixels(in: short) == 1)
    // A chunk that is longer than the file.
    #expect(ImageFormat.webp.defect(in: Self.changed(TestImage.webp, [17: 4])) != nil)
  }
}
