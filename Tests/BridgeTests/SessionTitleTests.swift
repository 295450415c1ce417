// Titles of sessions: the first words of what was said, in one line that nothing can hide in.

import Testing

@testable import Bridge
@testable import BridgeTestSupport

struct SessionTitleTests {
  @Test(arguments: [
    ("Hello", "Hello"), ("  Hello,\n\n\tworld \r\n", "Hello, world"), ("a\u{2028}b\u{2029}c\u{00A0}d", "a b c d"),
    ("a\u{0}b\u{1B}[2J", "ab[2J"), ("\u{202E}abc\u{200B}\u{FEFF}", "abc"), ("é 😀 日本語", "é 😀 日本語"),
    ("a  b", "a b"), (" x", "x"), ("x ", "x"),
  ])
  func isOneLine(_ text: String, _ title: String) { #expect(SessionTitle.made(of: text) == title) }

  @Test(arguments: ["", " ", "\n\t", "\u{200B}\u{202E}", "\u{0}"]) func nothingIsNoTitle(_ text: String) {
    #expect(SessionTitle.made(of: text) == nil)
  }

  @Test func isCutBetweenWords() throws {
    let exact = String(repeating: "a", count: 80)
    #expect(SessionTitle.made(of: exact) == exact)
    #expect(SessionTitle.made(of: exact + "a") == String(repeating: "a", count: 79) + "…")
    let words = Array(repeating: "word", count: 40).joined(separator: " ")
    #expect(SessionTitle.made(of: words) == Array(repeating: "word", count: 16).joined(separator: " ") + "…")
    let longer = "a" + words
    #expect(
      SessionTitle.made(of: longer) == "a" + Array(repeating: "word", count: 15).joined(separator: " ") + "…")
    // One long word behind a short one.
    let title = try #require(SessionTitle.made(of: "see \(exact)\(exact)"))
    #expect(title.hasPrefix("see aaa") && title.count == 80)
  }

  /// One character may have millions of marks, and a message millions of blanks.
  @Test func isShortWhateverTheText() throws {
    for text in [
      "e" + String(repeating: "\u{301}", count: 1_000_000), String(repeating: "日本", count: 500_000),
      String(repeating: "👨‍👩‍👧‍👦", count: 1000), "a" + String(repeating: " ", count: 1_000_000) + "b",
      String(repeating: "e\u{301}\u{302}\u{303}", count: 500),
    ] {
      let title = try #require(SessionTitle.made(of: text))
      #expect(title.utf8.count <= SessionTitle.maxBytes && title.count <= SessionTitle.maxCharacters)
      #expect(!title.isEmpty)
    }
  }

  @Test func isOfTheFirstMessageOfTheUser() {
    let conversation = Conversation(items: [
      .message(.developer, [.text("You are a parrot.")]),
      .message(.user, [.text("one"), .image("data:"), .text("two")]),
      .message(.assistant, [.text("three")]), .message(.user, [.text("four")]),
    ])
    #expect(SessionTitle.first(of: conversation) == "one two")
    #expect(SessionTitle.first(of: Conversation(items: [.message(.user, [.image("data:")])])) == nil)
    #expect(SessionTitle.first(of: Conversation(items: [])) == nil)
  }

  /// What is in the map may have been written by anybody who may write there.
  @Test func aTitleThatIsReadBackIsTheSame() throws {
    for text in ["Hello", "é 😀", "word " + String(repeating: "w", count: 100), "a\u{301}"] {
      let title = try #require(SessionTitle.made(of: text))
      #expect(SessionTitle.made(of: title) == title)
    }
  }
}
