// Lines that are compared instead of parsed: what is taken must be what parsing would have given.

import Testing

@testable import Bridge

struct AnswerDeltaLineTests {
  private let seeds = Fingerprint.Seeds()

  private func line(_ text: String, turn: String = "u-1", item: String = "i", clock: String = "1764000000000")
    -> [UInt8]
  {
    Array(
      #"{"method":"item/agentMessage/delta","params":{"threadId":"t-1","turnId":"\#(turn)","itemId":"\#(item)","delta":"\#(text)"},"emittedAtMs":\#(clock)}"#
        .utf8)
  }

  /// What is known of the lines of a message once one was parsed.
  private struct Known {
    let head: AnswerDeltaHead
    var form: AnswerDeltaForm
    let seeds: Fingerprint.Seeds

    mutating func text(of line: [UInt8]) -> Range<Int>? {
      guard head.begins(line.span, seeds),
        let (text, hasEscapes) = form.text(of: line.span, from: head.count)
      else { return nil }
      #expect(hasEscapes == line[text].contains(0x5C))
      return text
    }
  }

  private func known(_ line: [UInt8]) throws -> Known? {
    let scanned = AnswerDelta(scanning: line.span)
    let delta = try #require(scanned)
    return AnswerDeltaForm(of: delta, in: line.span).map {
      Known(head: AnswerDeltaHead(of: delta, in: line.span, seeds: seeds), form: $0, seeds: seeds)
    }
  }

  @Test(arguments: [
    "a", "", "some longer text than before", #"a\"b\n\u00e9"#, #"\\"#, "é😀", "}", #"\"}"#, "1764000000000",
  ])
  func takesWhatDiffersInTextAndClockOnly(_ text: String) throws {
    var known = try #require(try known(line("first")))
    let other = line(text, clock: "1964000000999")
    let taken = known.text(of: other)
    let parsed = AnswerDelta(scanning: other.span)?.text
    #expect(taken != nil && taken == parsed)
  }

  /// The general way escapes them; here the text would go on as it is.
  @Test(arguments: ["a\u{2028}b", "\u{2029}", "é\u{85}", "“\u{2028}"])
  func leavesLineBreaksOfUnicodeToTheGeneralWay(_ text: String) throws {
    var known = try #require(try known(line("first")))
    #expect(known.text(of: line(text)) == nil)
    let isScanned = AnswerDelta(scanning: line(text).span) != nil
    #expect(!isScanned)
    guard case .notification("item/agentMessage/delta", let params) = try RPCMessage.parse(line(text).span) else {
      Issue.record("not taken as a notification")
      return
    }
    let raw = try EscapedText(#require(params["delta"]?.stringValue)).raw
    #expect(raw.split(whereSeparator: \.isNewline).count == 1 && EscapedText(raw: raw).text == text)
  }

  @Test func refusesWhateverElseDiffers() throws {
    var known = try #require(try known(line("first")))
    let others: [[UInt8]] = [
      line("a", turn: "u-2"), line("a", item: "j"), line("a", clock: "0764000000000"),
      line("a", clock: "176400000000"),
      line("a", clock: "17640000000000"), line("a", clock: "17640000000.0"), line("a", clock: "-764000000000"),
      line("a\"b"), line("a\u{1}"), line(#"a\"#), line(#"a\x"#), line(#"\ud800"#), line("a").dropLast() + [0x20],
      line("a") + [0x7D], Array(line("a").dropFirst()), [], Array("{}".utf8), line("a").dropLast(40),
      line(#"","delta":"b"#), line("a").map { $0 == 0x61 ? 0xFF : $0 },
    ]
    for other in others {
      let taken = known.text(of: other)
      #expect(taken == nil, "\(String(decoding: other, as: UTF8.self))")
    }
  }

  /// Behind the text an id that ends in digits could pass for the clock, and its turn for another.
  @Test func isNotMadeOfALineWithAnIDBehindItsText() throws {
    let line = Array(
      #"{"method":"item/agentMessage/delta","params":{"delta":"a","threadId":"t","itemId":"i","turnId":"1"}}"#.utf8
    )
    #expect(try known(line) == nil)
  }

  @Test func isNotMadeOfALineWithAVeryLongEnd() throws {
    #expect(try known(line("a") + [UInt8](repeating: 0x20, count: 300)) == nil)
  }

  /// The messages of all turns share what is known of their form.
  @Test func takesTheLinesOfAnotherMessageByItsHead() throws {
    let first = try #require(try known(line("first")))
    let other = try #require(try known(line("x", turn: "u-22", item: "item-2")))
    var mixed = Known(head: other.head, form: first.form, seeds: seeds)
    let next = line("next", turn: "u-22", item: "item-2")
    let taken = mixed.text(of: next)
    #expect(taken.map { String(decoding: next[$0], as: UTF8.self) } == "next")
    #expect(mixed.text(of: line("next")) == nil)
  }

  /// The time that is compared first is that of the last line.
  @Test func keepsUpWithTheClock() throws {
    var known = try #require(try known(line("first")))
    for clock in ["1764000000000", "1764000000001", "1764000000001", "1763999999999", "9764000000000"] {
      let taken = [clock, "0764000000000", "17640000x0000", "1764000000000,"].map {
        known.text(of: line("a", clock: $0)) != nil
      }
      #expect(taken == [true, false, false, false])
    }
  }

  @Test func needsNoClock() throws {
    let text =
      #"{"method":"item/agentMessage/delta","params":{"threadId":"t","turnId":"u","itemId":"i","delta":"a"}}"#
    var known = try #require(try known(Array(text.utf8)))
    let next = Array(text.replacing(#""a""#, with: #""bcd""#).utf8)
    let taken = known.text(of: next)
    #expect(taken.map { String(decoding: next[$0], as: UTF8.self) } == "bcd")
  }

  /// Any byte of a line may be another one: what is taken then is what the parser says, too.
  @Test func neverTakesWhatTheParserWouldNot() throws {
    var random = SeededGenerator(21)
    var known = try #require(try known(line("first")))
    let bytes: [UInt8] = [0x22, 0x5C, 0x30, 0x39, 0x7D, 0x2C, 0x00, 0x80, 0xC3, 0x61, 0x75]
    for _ in 0..<20_000 {
      var other = line(["a", "", #"\n"#, "é"].randomElement(using: &random) ?? "")
      for _ in 0..<Int.random(in: 1...3, using: &random) {
        let index = Int.random(in: 0..<other.count, using: &random)
        other[index] = bytes.randomElement(using: &random) ?? 0
      }
      guard let taken = known.text(of: other) else { continue }
      let parsed = AnswerDelta(scanning: other.span)?.text
      #expect(taken == parsed, "\(String(decoding: other, as: UTF8.self))")
    }
  }
}
