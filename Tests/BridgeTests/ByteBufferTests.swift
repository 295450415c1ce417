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
      switch Int.random(in: 0..<8, using: &random) {
      case 0...4:
        let bytes = (0..<Int.random(in: 0..<3000, using: &random)).map { UInt8(truncatingIfNeeded: $0 &+ step) }
        if Bool.random(using: &random) { buffer.append(bytes) } else { buffer.append(bytes.span) }
        model += bytes
      case 5, 6:
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

  @Test(arguments: [(0, "0"), (9, "9"), (10, "a"), (255, "ff"), (65536, "10000")])
  func appendsHexadecimalDigits(_ value: Int, _ text: String) {
    var buffer = ByteBuffer()
    buffer.append(hex: value)
    #expect(String(decoding: buffer.array(), as: UTF8.self) == text)
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
