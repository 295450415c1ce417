// Stop sequences, however the text is cut.

import Testing

@testable import Bridge

struct StopFilterTests {
  /// What a client sees of text that comes in these pieces.
  private func shown(_ pieces: [String], _ stops: [String]) -> (text: String, hasMatched: Bool) {
    var filter = StopFilter(stops)
    var text = ""
    for piece in pieces { text += filter.feed(EscapedText(piece)).text }
    text += filter.finish().text
    return (text, filter.hasMatched)
  }

  private func pieces(_ text: String, _ random: inout SeededGenerator) -> [String] {
    random.pieces(of: Array(text), upTo: 8).map { String($0) }
  }

  /// The text before the first place where any stop begins.
  private func cut(_ text: String, _ stops: [String]) -> String {
    let bytes = Array(text.utf8)
    let starts = stops.map { Array($0.utf8) }.flatMap { stop in
      bytes.indices.filter { bytes[$0...].starts(with: stop) }
    }
    return String(decoding: bytes[..<(starts.min() ?? bytes.count)], as: UTF8.self)
  }

  @Test(arguments: [
    ("hello", ["x"], "hello", false), ("hello", ["l"], "he", true), ("hello", ["ll", "o"], "he", true),
    ("hello", ["hello"], "", true), ("hello", ["hello!"], "hello", false), ("hello", ["o"], "hell", true),
    ("", ["a"], "", false), ("aab", ["ab"], "a", true), ("aaab", ["aab"], "a", true), ("é€😀", ["€"], "é", true),
    ("a\nb", ["\n"], "a", true), ("a\"b", ["\""], "a", true), ("a\\b", ["\\"], "a", true),
    ("hello", [], "hello", false),
    ("1\n\n2\n\n\n3", ["\n\n\n"], "1\n\n2", true),
  ])
  func cutsBeforeAMatch(_ text: String, _ stops: [String], _ expected: String, _ hasMatched: Bool) {
    for pieces in [[text], text.map { String($0) }] {
      let result = shown(pieces, stops)
      #expect(result.text == expected)
      #expect(result.hasMatched == hasMatched)
    }
  }

  @Test func cutsRandomTextBeforeTheFirstMatch() {
    var random = SeededGenerator(9)
    let alphabet: [Character] = ["a", "b", "é", "è", "\n", "😀"]
    for _ in 0..<4000 {
      let text = String(
        (0..<Int.random(in: 0..<30, using: &random)).compactMap { _ in alphabet.randomElement(using: &random) })
      let stop = String(
        (0..<Int.random(in: 1..<5, using: &random)).compactMap { _ in alphabet.randomElement(using: &random) })
      let expected = cut(text, [stop])
      let result = shown(pieces(text, &random), [stop])
      #expect(result.text == expected, "\(text.debugDescription) \(stop.debugDescription)")
      #expect(result.hasMatched == (text.utf8.count > expected.utf8.count))
    }
  }

  /// One stop may begin inside another; the answer must still not depend on how the engine cut its deltas.
  @Test func cutsTheSameHoweverTheTextComes() {
    var random = SeededGenerator(10)
    let alphabet: [Character] = ["a", "b", "c"]
    for _ in 0..<4000 {
      let text = String(
        (0..<Int.random(in: 0..<20, using: &random)).compactMap { _ in alphabet.randomElement(using: &random) })
      let stops = (0..<Int.random(in: 1...4, using: &random)).map { _ in
        String(
          (0..<Int.random(in: 1..<5, using: &random)).compactMap { _ in alphabet.randomElement(using: &random) })
      }
      let whole = shown([text], stops)
      let cut = shown(pieces(text, &random), stops)
      #expect(cut.text == whole.text, "\(text) \(stops)")
      #expect(cut.hasMatched == whole.hasMatched)
    }
  }

  /// The one that is complete first; of those that are complete with the same byte, the longest.
  @Test func cutsAsASearchOfTheWholeTextWould() {
    var random = SeededGenerator(11)
    let alphabet: [Character] = ["a", "b"]
    for _ in 0..<4000 {
      let text = String(
        (0..<Int.random(in: 0..<24, using: &random)).compactMap { _ in alphabet.randomElement(using: &random) })
      let stops = (0..<Int.random(in: 1...4, using: &random)).map { _ in
        String(
          (0..<Int.random(in: 1..<6, using: &random)).compactMap { _ in alphabet.randomElement(using: &random) })
      }
      var expected = text
      search: for end in text.indices.map({ text.index(after: $0) }) {
        let found = stops.filter { text[..<end].hasSuffix($0) }.max { $0.count < $1.count }
        if let found {
          expected = String(text[..<end].dropLast(found.count))
          break search
        }
      }
      #expect(shown(pieces(text, &random), stops).text == expected, "\(text) \(stops)")
    }
  }

  /// Where each byte were compared with each beginning, this would be a thousand million comparisons.
  @Test func aLongStopThatNearlyMatchesEverywhereCostsNoMore() {
    let stop = String(repeating: "a ", count: 500) + "!"
    var filter = StopFilter([stop, stop + "!", "a" + stop, "  "])
    let text = EscapedText(String(repeating: "a ", count: 20))
    var shown = 0
    for _ in 0..<10_000 { shown += filter.feed(text).raw.utf8.count }
    #expect(!filter.hasMatched)
    #expect(shown + filter.finish().raw.utf8.count == 400_000)
  }

  @Test func passesTextWithoutStopsUntouched() {
    var filter = StopFilter([])
    let text = EscapedText(raw: "a\\u0041")
    #expect(filter.feed(text) == text)
    #expect(filter.finish().raw == "")
    #expect(!filter.isActive)
  }

  @Test func holdsBackNoMoreThanItMust() {
    var filter = StopFilter(["STOP"])
    #expect(filter.feed(EscapedText("abc")).text == "abc")
    #expect(filter.feed(EscapedText("dS")).text == "d")
    #expect(filter.feed(EscapedText("T")).text == "")
    #expect(filter.feed(EscapedText("x")).text == "STx")
  }

  @Test func saysNothingAfterAMatch() {
    var filter = StopFilter(["x"])
    #expect(filter.feed(EscapedText("axb")).text == "a")
    #expect(filter.feed(EscapedText("more")).text == "")
    #expect(filter.finish().text == "")
  }
}
