// Bytes in at one end and out at the other.

import Testing

@testable import Bridge

struct ByteBufferTests {
  /// Random appends and takings against a plain array.
  @Test func behavesLikeAnArray() {
    var random = SeededGenerator(6)
    var buffer = ByteBuffer()
    var model: [UInt8] = []
    for step in 0..<3000 {
      switch Int.random(in: 0..<9, using: &random) {
      case 0...4:
        let bytes = (0..<Int.random(in: 0..<3000, using: &random)).map { UInt8(truncatingIfNeeded: $0 &+ step) }
        if Bool.random(using: &random) { buffer.append(bytes) } else { buffer.append(bytes.span) }
        model += bytes
      case 5:
        let part = [UInt8](
          repeating: UInt8(truncatingIfNeeded: step), count: Int.random(in: 0..<900, using: &random))
        buffer.append(part.span, "two", part.span, "four")
        model += part + Array("two".utf8) + part + Array("four".utf8)
      case 6, 7:
        let count = Int.random(in: 0...model.count, using: &random)
        buffer.consume(count)
        model.removeFirst(count)
      default:
        if Int.random(in: 0..<20, using: &random) == 0 {
          #expect(buffer.take() == model)
          model = []
        }
      }
      #expect(buffer.count == model.count)
      #expect(buffer.isEmpty == model.isEmpty)
      if step.isMultiple(of: 50) {
        #expect(buffer.array() == model)
        #expect(buffer.withBytes { $0.array } == model)
      }
    }
    #expect(buffer.array() == model)
  }

  /// Before bytes are added the rest of many is moved to the front, in the middle of nothing.
  @Test(arguments: [0, 60_000, 200_000, 290_000, 299_999])
  func keepsTheRestOfManyBytesWhenMoreAreAdded(_ consumed: Int) {
    let many = (0..<300_000).map { UInt8(truncatingIfNeeded: $0) }
    var buffer = ByteBuffer(many)
    buffer.consume(consumed)
    buffer.appendChunk {
      $0.append("a")
      $0.append([0x62])
    }
    buffer.append("c")
    #expect(buffer.array() == many[consumed...] + Array("0002\r\nab\r\nc".utf8))
  }

  @Test func isEmptyAfterTaking() {
    var buffer = ByteBuffer([1, 2, 3])
    buffer.consume(1)
    #expect(buffer.take() == [2, 3])
    #expect(buffer.isEmpty)
    #expect(buffer.take() == [])
  }

  @Test func isEmptyAfterRemovingAll() {
    var buffer = ByteBuffer([UInt8](repeating: 1, count: 10_000))
    buffer.consume(5)
    buffer.removeAll()
    #expect(buffer.isEmpty)
    buffer.append("x")
    #expect(buffer.array() == [UInt8(ascii: "x")])
  }

  @Test(arguments: [
    (1, "0001"), (255, "00ff"), (4096, "1000"), (65535, "ffff"), (65536, "00010000"),
    (100_000, "000186a0"),
  ])
  func appendsAChunkWithItsSizeBeforeIt(_ count: Int, _ size: String) {
    let part = [UInt8](repeating: 0x61, count: count)
    var buffer = ByteBuffer(Array("before".utf8))
    buffer.consume(2)
    buffer.appendChunk { $0.append(part) }
    #expect(buffer.array() == Array("fore\(size)\r\n".utf8) + part + Array("\r\n".utf8))
  }

  @Test func anEmptyChunkWouldEndTheBody() {
    var buffer = ByteBuffer(Array("before".utf8))
    buffer.appendChunk { _ in }
    #expect(buffer.array() == Array("before".utf8))
  }

  @Test func comparesBytes() {
    let isEqual = { (text: String, other: StaticString) in Array(text.utf8).span.isEqual(to: other) }
    #expect(isEqual("0123456789", "0123456789"))
    #expect(!isEqual("0123456789", "012345678"))
    #expect(!isEqual("0123456789", "012345678x"))
    #expect(isEqual("", ""))
    let bytes = Array("01230123".utf8)
    let halves = bytes.span.extracting(0..<4).isEqual(to: bytes.span.extracting(4..<8))
    #expect(halves)
  }

  /// Every byte counts, wherever it stands, and so does the length.
  @Test func fingerprintsTellBytesApart() {
    let seeds = Fingerprint.Seeds()
    var seen: Set<Fingerprint> = [Fingerprint(of: [UInt8]().span, seeds)]
    for count in 1...40 {
      let bytes = [UInt8](repeating: 0, count: count)
      seen.insert(Fingerprint(of: bytes.span, seeds))
      for index in bytes.indices {
        var changed = bytes
        changed[index] = 1
        seen.insert(Fingerprint(of: changed.span, seeds))
      }
    }
    #expect(seen.count == 1 + 40 + 40 * 41 / 2)
  }

  @Test func tellsDigitsFromAllOtherBytes() {
    for count in [1, 7, 8, 9, 16, 20] {
      for byte in UInt8.min ... .max {
        for index in 0..<count {
          var bytes = [UInt8](repeating: 0x39, count: count)
          bytes[index] = byte
          let areDigits = bytes.span.areDigits
          #expect(areDigits == (0x30...0x39).contains(byte), "\(byte) at \(index) of \(count)")
        }
      }
    }
  }

  @Test func knowsHexadecimalDigits() {
    let digits = Dictionary(
      uniqueKeysWithValues: zip("0123456789abcdefABCDEF".utf8, Array(0...15) + Array(10...15)))
    for byte in UInt8.min ... .max { #expect(byte.hexValue.map(Int.init) == digits[byte], "\(byte)") }
  }

  @Test func readsTextOnlyIfItIsUTF8() {
    #expect(Array("é€😀 and more than fifteen bytes".utf8).span.text == "é€😀 and more than fifteen bytes")
    #expect([UInt8]().span.text == "")
    #expect(([0x61, 0xC3] as [UInt8]).span.text == nil)
    #expect(([0xED, 0xA0, 0x80] as [UInt8]).span.text == nil)
  }

  @Test func findsBytes() {
    let bytes: [UInt8] = [5, 6, 5, 7]
    #expect(bytes.span.firstIndex(of: 5) == 0)
    #expect(bytes.span.firstIndex(of: 5, from: 1) == 2)
    #expect(bytes.span.firstIndex(of: 5, from: 3) == nil)
    #expect(bytes.span.firstIndex(of: 7, from: 4) == nil)
    #expect(bytes.span.firstIndex(of: 7, from: 9) == nil)
    #expect([UInt8]().span.firstIndex(of: 7) == nil)
  }
}
