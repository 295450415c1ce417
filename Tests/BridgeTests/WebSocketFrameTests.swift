// The frames that the bridge sends.

import Testing

@testable import Bridge
@testable import BridgeTestSupport

struct WebSocketFrameTests {
  private static let sizes = [1, 2, 125, 126, 127, 255, 256, 4096, 65_535, 65_536, 65_537, 200_000]

  @Test(arguments: sizes)
  func aTextFrameHasTheShortestLength(_ size: Int) {
    let content = (0..<size).map { UInt8(truncatingIfNeeded: $0) }
    var buffer = ByteBuffer()
    buffer.appendTextFrame { $0.append(content) }
    #expect(ServerFrame.parse(buffer.array()[...]) == [ServerFrame(opcode: 1, isFinal: true, content: content)])
  }

  /// The length is put before what was appended, wherever that lies in its buffer.
  @Test(arguments: sizes)
  func aTextFrameStandsBehindWhatIsThereAndBeforeWhatFollows(_ size: Int) {
    let content = (0..<size).map { UInt8(truncatingIfNeeded: $0 / 7) }
    for (before, consumed) in [(0, 0), (1, 0), (250, 0), (250, 249), (5000, 4000), (100_000, 99_000)] {
      let first = [UInt8](repeating: 0x2E, count: before)
      var buffer = ByteBuffer()
      buffer.append(first)
      buffer.consume(consumed)
      // In pieces, so that the buffer grows meanwhile.
      buffer.appendTextFrame { buffer in
        var rest = content[...]
        while !rest.isEmpty {
          buffer.append(Array(rest.prefix(1000)))
          rest = rest.dropFirst(1000)
        }
      }
      buffer.appendTextFrame { $0.append("end") }
      let written = buffer.array()
      #expect(written.prefix(before - consumed).elementsEqual(first.dropFirst(consumed)))
      let frames = ServerFrame.parse(written.dropFirst(before - consumed))
      #expect(frames?.map(\.content) == [content, Array("end".utf8)])
    }
  }

  @Test func aFrameOfNothingIsNone() {
    var buffer = ByteBuffer()
    buffer.append("a")
    buffer.appendTextFrame { _ in }
    #expect(buffer.array() == Array("a".utf8))
    buffer.appendTextFrame { $0.append("b") }
    #expect(buffer.array() == Array("a".utf8) + [0x81, 1] + Array("b".utf8))
  }

  @Test func controlFramesAreShort() {
    var buffer = ByteBuffer()
    buffer.appendControlFrame(.ping)
    buffer.appendControlFrame(.pong, [UInt8](repeating: 7, count: 200))
    let frames = ServerFrame.parse(buffer.array()[...])
    #expect(frames?.map(\.opcode) == [9, 10])
    #expect(frames?.map(\.content.count) == [0, 125])
  }

  @Test func aCloseFrameHasACodeAndAReasonThatFits() {
    var buffer = ByteBuffer()
    buffer.appendCloseFrame(.goingAway, "bye")
    buffer.appendCloseFrame(.internalError, String(repeating: "é", count: 100))
    for code in [WebSocketCloseCode.none, .abnormal, WebSocketCloseCode(0)] {
      buffer.appendCloseFrame(code, "never")
    }
    let frames = ServerFrame.parse(buffer.array()[...]) ?? []
    #expect(frames.allSatisfy { $0.opcode == 8 && $0.isFinal })
    #expect(frames.map(\.code) == [1001, 1011, nil, nil, nil])
    #expect(frames[0].content.dropFirst(2).elementsEqual("bye".utf8))
    #expect(frames[1].content.count == 124)
    #expect(frames[1].content.dropFirst(2).elementsEqual(String(repeating: "é", count: 61).utf8))
    #expect(frames.dropFirst(2).allSatisfy { $0.content.isEmpty })
  }
}
