// Bytes of a keyboard as keys: every sequence whole and cut at every place, and what no keyboard should send.

import Testing

@testable import Bridge

struct KeyDecoderTests {
  /// Keys of `bytes` in one piece; checked to be the same in single bytes.
  private func keys(_ bytes: [UInt8]) -> [KeyPress] {
    var decoder = KeyDecoder()
    let whole = decoder.feed(bytes.span)
    var cut = KeyDecoder()
    let pieces = bytes.flatMap { cut.feed([$0].span) }
    #expect(pieces.merged == whole.merged)
    return whole
  }

  private func keys(_ text: String) -> [KeyPress] { keys(Array(text.utf8)) }

  @Test(arguments: ["hello", "你好 é world", "日本語", "ü", "😀👍🏽", "e\u{301}", "\u{FFFD}"])
  func textIsUTF8(_ text: String) { #expect(keys(text) == [.text(text)]) }

  @Test(
    arguments: [
      ([0xFF], "\u{FFFD}"), ([0x80, 0x61], "\u{FFFD}a"), ([0xC3, 0x61], "\u{FFFD}a"),
      ([0xC0, 0xAF], "\u{FFFD}\u{FFFD}"),
      ([0xE4, 0xBD, 0x61], "\u{FFFD}a"),
    ] as [([UInt8], String)])
  func whatIsNoUTF8IsShownAsSuch(_ bytes: [UInt8], _ text: String) { #expect(keys(bytes) == [.text(text)]) }

  @Test(arguments: [
    ("\r", KeyPress.enter), ("\n", .enter), ("\u{1B}\r", .newLine), ("\u{1B}\n", .newLine),
    ("\u{1B}[13;2u", .newLine),
    ("\u{1B}[27;2;13~", .newLine), ("\u{1B}OM", .enter), ("\u{7F}", .backspace), ("\u{8}", .backspace),
    ("\u{1B}[D", .left), ("\u{1B}OD", .left), ("\u{1B}[C", .right), ("\u{1B}[A", .up), ("\u{1B}OB", .down),
    ("\u{1B}[H", .home), ("\u{1B}[1~", .home), ("\u{1B}OF", .end), ("\u{1B}[4~", .end), ("\u{1B}[3~", .delete),
    ("\u{1B}[1;5D", .wordLeft), ("\u{1B}b", .wordLeft), ("\u{1B}[1;3C", .wordRight), ("\u{1B}f", .wordRight),
    ("\u{1B}\u{7F}", .eraseWordLeft), ("\u{1B}d", .eraseWordRight), ("\u{17}", .eraseWordLeft),
    ("\u{15}", .eraseToStart), ("\u{B}", .eraseToEnd), ("\u{19}", .yank), ("\u{1}", .home), ("\u{5}", .end),
    ("\u{2}", .left), ("\u{6}", .right), ("\u{3}", .interrupt), ("\u{4}", .endOfInput), ("\u{1A}", .suspend),
    ("\u{C}", .clearScreen), ("\t", .text("\t")),
  ])
  func sequencesAreKeys(_ bytes: String, _ key: KeyPress) {
    #expect(keys("a\(bytes)b").merged == [.text("a"), key, .text("b")].merged)
  }

  @Test(arguments: [
    "\u{1B}[5~", "\u{1B}[[A", "\u{1B}[200", "\u{1B}x", "\u{1B}]11;rgb:00/00/00\u{7}", "\u{1B}]52;c;eQ==\u{1B}\\",
    "\u{1B}P1$r0m\u{1B}\\", "\u{1B}[I", "\u{1B}[201~", "\0", "\u{1E}", "\u{9B}", "\u{85}",
  ])
  func otherSequencesAreNoText(_ bytes: String) {
    let rest = bytes.hasSuffix("200") ? "~\u{1B}[201~" : ""
    #expect(keys("a\(bytes)\(rest)b").filter { $0 != .paste("") }.merged == [.text("ab")])
  }

  @Test func anEscapeAloneTakesNoLetterAway() {
    var decoder = KeyDecoder()
    #expect(decoder.feed([0x1B].span).isEmpty)
    #expect(decoder.isUndecided)
    decoder.timeOut()
    #expect(!decoder.isUndecided)
    #expect(decoder.feed(Array("y".utf8).span) == [.text("y")])
  }

  @Test func aPasteIsOneKey() {
    let text = "if x:\n\treturn\n    \n/reset\n"
    #expect(keys("a\u{1B}[200~\(text)\u{1B}[201~\r") == [.text("a"), .paste(text), .enter])
  }

  @Test(arguments: ["a\rb", "a\r\nb", "a\nb"])
  func linesOfAPasteEndWithLineFeeds(_ text: String) {
    #expect(keys("\u{1B}[200~\(text)\u{1B}[201~") == [.paste("a\nb")])
  }

  @Test func keysInAPasteAreText() {
    let text = "\u{3}\u{4}\u{1B}[A\u{1B}[200~y\n"
    #expect(keys("\u{1B}[200~\(text)\u{1B}[201~") == [.paste(text)])
  }

  @Test func aPasteIsBounded() {
    var decoder = KeyDecoder()
    #expect(decoder.feed(Array("\u{1B}[200~".utf8).span).isEmpty)
    let piece = [UInt8](repeating: 0x61, count: 1 << 20)
    for _ in 0..<5 { #expect(decoder.feed(piece.span).isEmpty) }
    #expect(decoder.feed(Array("\u{1B}[201~b".utf8).span) == [.oversizedPaste, .text("b")])
  }

  @Test func aSequenceThatDoesNotEndIsDropped() {
    let long = "\u{1B}[" + String(repeating: "1;", count: 10_000) + "A"
    #expect(keys(long + "b") == [.up, .text("b")])
    // What interrupts gets through wherever a sequence was cut off.
    #expect(keys("\u{1B}[1;\u{3}") == [.interrupt])
    #expect(keys("\u{1B}]52;c;\u{3}") == [.interrupt])
  }
}

extension [KeyPress] {
  /// Text that came in several reads is as good as in one.
  fileprivate var merged: [KeyPress] {
    reduce(into: []) { result, key in
      if case .text(let more) = key, case .text(let text)? = result.last {
        result[result.count - 1] = .text(text + more)
      } else {
        result.append(key)
      }
    }
  }
}
