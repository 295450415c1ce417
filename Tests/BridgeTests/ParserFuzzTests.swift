// Random damage to real samples: nothing crashes, and however the bytes are cut the result is the same.

import Testing

@testable import Bridge
@testable import BridgeTestSupport

struct ParserFuzzTests {
  private static let samples =
    RefusedRequest.short.map(\.bytes)
    + RequestParserTests.accepted.map { Array($0.text.utf8) }
  /// Bytes that mean something to a parser.
  private static let telling: [UInt8] = Array("\r\n\t :;,/0aF%\"{}[]\\".utf8) + [0, 0x7F, 0x80, 0xC3, 0xFF]

  private func damaged(_ sample: [UInt8], _ random: inout SeededGenerator) -> [UInt8] {
    var bytes = sample
    for _ in 0..<Int.random(in: 1...4, using: &random) where !bytes.isEmpty {
      let index = Int.random(in: 0..<bytes.count, using: &random)
      let byte = Self.telling.randomElement(using: &random) ?? 0
      switch Int.random(in: 0..<5, using: &random) {
      case 0: bytes[index] = byte
      case 1: bytes.insert(byte, at: index)
      case 2: bytes.remove(at: index)
      case 3: bytes.insert(contentsOf: bytes[index..<min(bytes.count, index + 8)], at: index)
      default: bytes[index] = UInt8.random(in: 0...255, using: &random)
      }
    }
    return bytes
  }

  @Test(arguments: 1...4)
  func requestsReadTheSameHoweverTheyAreCut(_ seed: UInt64) throws {
    var random = SeededGenerator(seed)
    for _ in 0..<2500 {
      let sample = try #require(Self.samples.randomElement(using: &random))
      let bytes = damaged(sample, &random)
      let whole = ParsedRequest(bytes)
      #expect(ParsedRequest(random.pieces(of: bytes)) == whole, "\(bytes)")
    }
  }

  /// Also of frames whose lengths no longer fit what follows.
  @Test(arguments: 1...4)
  func framesReadTheSameHoweverTheyAreCut(_ seed: UInt64) throws {
    var random = SeededGenerator(seed &+ 200)
    let samples = [
      ClientFrame.text("Hello") + ClientFrame.ping("p") + ClientFrame.close(1000, "bye"),
      ClientFrame.text("He", isFinal: false) + ClientFrame.pong() + ClientFrame.continuation("llo"),
      ClientFrame.text(String(repeating: "é", count: 70)) + ClientFrame.text(""),
      ClientFrame.make(1, Array("€uro".utf8), mask: [0, 0, 0, 0]) + ClientFrame.make(1, [], length: .eight),
    ]
    for _ in 0..<2500 {
      let bytes = damaged(try #require(samples.randomElement(using: &random)), &random)
      #expect(throws: Never.self, "\(bytes)") { try WebSocketProperty.check(bytes) }
    }
  }

  @Test(arguments: 1...4)
  func jsonIsReadOrRefusedAndReadsBackTheSame(_ seed: UInt64) throws {
    var random = SeededGenerator(seed &+ 100)
    let samples = [
      #"{"a":[1,-2.5e3,true,null,"x\u00e9\n\ud83d\ude00"],"b":{"c":""}}"#, #"[[[]],{},"\"",0.1E+2]"#,
      #"{"method":"item/agentMessage/delta","params":{"threadId":"t","turnId":"u","itemId":"i","delta":"a\"b"}}"#,
    ].map { Array($0.utf8) }
    for _ in 0..<2500 {
      let bytes = damaged(try #require(samples.randomElement(using: &random)), &random)
      if let value = try? JSONValue(parsing: bytes) {
        #expect(try JSONValue(parsing: value.jsonBytes) == value, "\(bytes)")
      }
      // What the token path takes, the general parser must take too.
      if let message = try? RPCMessage.parse(bytes.span), case .answerDelta = message {
        #expect((try? JSONValue(parsing: bytes)) != nil, "\(bytes)")
      }
      _ = ThreadMap.decode(bytes)
      if let body = try? JSONValue(parsing: bytes) {
        _ = try? ChatRequest(body, userIsSession: true)
        _ = try? CompletionRequest(body, userIsSession: true)
      }
    }
  }

  @Test(arguments: 1...4)
  func responseRequestsAreReadOrRefused(_ seed: UInt64) throws {
    var random = SeededGenerator(seed &+ 300)
    let samples = [
      #"{"input":[{"role":"user","content":[{"type":"input_text","text":"a"}]},{"type":"item_reference","id":"m"}]}"#,
      #"{"input":[{"type":"function_call","call_id":"c","name":"f"},{"type":"function_call_output","call_id":"c","output":"1"}],"store":false}"#,
      #"{"input":"a","previous_response_id":"r","tools":[{"type":"function","name":"f"}],"tool_choice":"required"}"#,
      #"{"type":"response.create","input":[{"id":"x"},"a"],"conversation":{"id":"c"},"generate":false}"#,
      #"{"input":[{"role":"user","content":[{"type":"input_file","filename":"n","file_data":"data:text/x;base64,YQ=="}]}]}"#,
    ].map { Array($0.utf8) }
    for _ in 0..<1000 {
      let bytes = damaged(try #require(samples.randomElement(using: &random)), &random)
      #expect(throws: Never.self, "\(bytes)") { try FuzzTarget.chat.check(bytes) }
    }
  }
}
