// `.env` files; the expected values are those of the Node package dotenv 16.

import Testing

@testable import Bridge

struct DotEnvTests {
  private func read(_ text: String) -> [String: String] { DotEnv(Array(text.utf8)).values }

  @Test(arguments: [
    ("A=1", ["A": "1"]), ("A = 1 ", ["A": "1"]), (" A=1", ["A": "1"]), ("export A=1", ["A": "1"]),
    ("  export   A=1", ["A": "1"]), ("A=", ["A": ""]), ("A=''", ["A": ""]), ("A=\"\"", ["A": ""]),
    ("A=a b c", ["A": "a b c"]), ("A=a=b=c", ["A": "a=b=c"]), ("A=é", ["A": "é"]), ("1A=2", ["1A": "2"]),
    ("A.b-c=1", ["A.b-c": "1"]), ("A={\"a\": \"b\"}", ["A": "{\"a\": \"b\"}"]),
    ("A=model=\"x\"", ["A": "model=\"x\""]),
    ("A=a'b'", ["A": "a'b'"]),
  ])
  func readsValues(_ text: String, _ values: [String: String]) { #expect(read(text) == values) }

  @Test(
    arguments: [
      ("# A=1", [:]), (" # A=1", [:]), ("A=a#b", ["A": "a"]), ("A=a # b", ["A": "a"]), ("A=#x", ["A": ""]),
      ("A='a # b'", ["A": "a # b"]), ("A=\"a # b\" # c", ["A": "a # b"]), ("A= 'x'  # y", ["A": "x"]),
      ("A='open # x", ["A": "'open"]),
    ] as [(String, [String: String])])
  func readsComments(_ text: String, _ values: [String: String]) { #expect(read(text) == values) }

  @Test(arguments: [
    ("A=\"it's\"", ["A": "it's"]), ("A='say \"hi\"'", ["A": "say \"hi\""]),
    ("A=`it's \"x\"`", ["A": "it's \"x\""]),
    ("A=' spaced '", ["A": " spaced "]), ("A= \"a\" ", ["A": "a"]), ("A='a\\nb'", ["A": "a\\nb"]),
    ("A=\"a\\nb\"", ["A": "a\nb"]), ("A=a\\nb", ["A": "a\\nb"]), ("A=\"\\t\"", ["A": "\\t"]),
    ("A=\"open", ["A": "\"open"]),
  ])
  func readsQuotes(_ text: String, _ values: [String: String]) { #expect(read(text) == values) }

  @Test(
    arguments: [
      ("A=1\nA=2", ["A": "2"]), ("A=1\r\nB=2\r\n", ["A": "1", "B": "2"]), ("A=1\rB=2", ["A": "1", "B": "2"]),
      ("A=1\n\n\nB=2", ["A": "1", "B": "2"]), ("A\nB=2", ["B": "2"]), ("A B=1", [:]), ("=1", [:]),
      ("export A", [:]),
      ("", [:]), ("ÄB=1", [:]),
    ] as [(String, [String: String])])
  func readsLines(_ text: String, _ values: [String: String]) { #expect(read(text) == values) }

  @Test(
    arguments: [
      ("", []), ("# x\n \t\nA=1", []), ("x", [1]), ("A=1\r\nx\r\nA=2\r\nx", [2, 4]),
      ("A='1\n2'\nx\n\n\nx", [3, 6]),
      ("\u{FEFF}x", [1]), ("=1", [1]), ("export A", [1]), ("A:1", [1]), ("ÄB=1", [1]), ("A=\u{FFFD}", []),
    ] as [(String, [Int])])
  func namesLinesThatSayNothing(_ text: String, _ lines: [Int]) {
    #expect(DotEnv(Array(text.utf8)).faults.map(\.line) == lines)
  }

  @Test func takesNoValueThatIsNotUTF8() {
    let file = DotEnv(Array("A=1\nB=x".utf8) + [0xE9] + Array("\n# ".utf8) + [0xE9] + Array("\nC=3".utf8))
    #expect(file.values == ["A": "1", "C": "3"])
    #expect(file.faults == [DotEnv.Fault(line: 2, reason: .notUTF8)])
  }

  /// Less common, but what dotenv makes of files that exist.
  @Test(arguments: [
    ("export\tA=1", ["A": "1"]), ("A: 1", ["A": "1"]), ("\u{FEFF}A=1", ["A": "1"]),
    ("A=\"line1\nline2\"\nB=2", ["A": "line1\nline2", "B": "2"]), ("A=\"a \\\"b\\\" c\"", ["A": "a \\\"b\\\" c"]),
    ("A='it\\'s'", ["A": "it\\'s"]), ("A=\"a\\r\\nb\"", ["A": "a\r\nb"]), ("A=\"a\"b", ["A": "\"a\"b"]),
  ])
  func readsAsNodeDoes(_ text: String, _ values: [String: String]) { #expect(read(text) == values) }
}
