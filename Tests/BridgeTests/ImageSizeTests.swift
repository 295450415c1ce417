// What the beginning of an image file says of its size.

import Testing

@testable import Bridge

struct ImageSizeTests {
  /// A big-endian number.
  private static func big(_ value: Int, _ count: Int) -> [UInt8] {
    (0..<count).reversed().map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }
  }

  private static func little(_ value: Int, _ count: Int) -> [UInt8] { big(value, count).reversed() }

  private static let png = [UInt8]([0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A])

  private static func webp(_ type: String, _ rest: [UInt8]) -> [UInt8] {
    Array("RIFF".utf8) + little(100, 4) + Array("WEBP".utf8) + Array(type.utf8) + little(50, 4) + rest
      + [UInt8](repeating: 0, count: 16)
  }

  @Test func readsTheSizeOfEveryFormat() {
    let padding = [UInt8](repeating: 0, count: 16)
    let ihdr = Self.png + Self.big(13, 4) + Array("IHDR".utf8) + Self.big(30_000, 4) + Self.big(20_000, 4)
    #expect(ImageFormat.png.pixels(in: ihdr) == 600_000_000)
    #expect(
      ImageFormat.gif.pixels(in: Array("GIF89a".utf8) + Self.little(640, 2) + Self.little(480, 2)) == 307_200)
    let app0: [UInt8] = [0xFF, 0xD8, 0xFF, 0xE0, 0x00, 0x04, 0x00, 0x00]
    let table: [UInt8] = [0xFF, 0xC4, 0x00, 0x03, 0x00]
    let frame = [0xFF, 0xFF, 0xC2, 0x00, 0x0B, 0x08] + Self.big(300, 2) + Self.big(400, 2) + padding
    #expect(ImageFormat.jpeg.pixels(in: app0 + table + frame) == 120_000)
    let vp8 = [0, 0, 0, 0x9D, 0x01, 0x2A] + Self.little(320, 2) + Self.little(0x4000 | 200, 2)
    #expect(ImageFormat.webp.pixels(in: Self.webp("VP8 ", vp8)) == 64_000)
    let vp8l = [0x2F] + Self.little((200 - 1) << 14 | (320 - 1), 4)
    #expect(ImageFormat.webp.pixels(in: Self.webp("VP8L", vp8l)) == 64_000)
    let vp8x = [0, 0, 0, 0] + Self.little(320 - 1, 3) + Self.little(200 - 1, 3)
    #expect(ImageFormat.webp.pixels(in: Self.webp("VP8X", vp8x)) == 64_000)
  }

  @Test func whatIsCutShortHasNoSize() {
    let whole = [
      (ImageFormat.png, Self.png + Self.big(13, 4) + Array("IHDR".utf8) + Self.big(1, 4) + Self.big(1, 4)),
      (.gif, Array("GIF89a".utf8) + Self.little(1, 2) + Self.little(1, 2)),
      (.jpeg, [0xFF, 0xD8, 0xFF, 0xC0, 0x00, 0x0B, 0x08, 0, 1, 0, 1]),
      (.webp, Self.webp("VP8X", [0, 0, 0, 0, 0, 0, 0, 0, 0, 0])),
    ]
    for (format, bytes) in whole {
      #expect(format.pixels(in: bytes) == 1)
      for end in 0..<10 { #expect(format.pixels(in: Array(bytes[..<end])) == nil, "\(format) cut at \(end)") }
    }
  }
}
