// JSON texts that are accepted and refused (RFC 8259), and what becomes of them.

import Testing

@testable import Bridge

struct JSONParserTests {
  private func parse(_ text: String) throws(JSONError) -> JSONValue { try JSONValue(parsing: text) }

  @Test(
    arguments: [
      ("null", JSONValue.null), ("true", true), ("false", false), (" \t\r\n 1 \n", 1), ("\"\"", ""), ("[]", []),
      ("{}", [:]), ("[ ]", []), ("{ }", [:]), ("[[],{}]", [[], [:]]), ("[1,2 , 3]", [1, 2, 3]),
      ("{\"a\":1}", ["a": 1]), ("{ \"a\" : [ null ] }", ["a": [nil]]), ("{\"\":0}", ["": 0]),
      ("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\/\u{8}\u{C}\n\r\t"), ("\"\\u0041\\u00e9\\u20AC\"", "Aé€"),
      ("\"\\ud83d\\ude00\"", "😀"), ("\"\\uD83D\\uDE00x\"", "😀x"), ("\"\\u0000\"", "\0"), ("\"\u{7F}\"", "\u{7F}"),
      ("\"é€😀\"", "é€😀"), ("\"\u{2028}\"", "\u{2028}"), ("\"\\uDBFF\\uDFFF\"", "\u{10FFFF}"), ("\"a\\\\\"", "a\\"),
      ("\"/\"", "/"), ("\"{}[],:\"", "{}[],:"),
    ] as [(String, JSONValue)])
  func accepts(_ text: String, _ value: JSONValue) throws {
    #expect(try parse(text) == value)
  }

  @Test(arguments: [
    "0", "-0", "1", "-1", "10", "123456789012345678901234567890", "0.5", "-0.0", "1.000", "1e5", "1E5", "1e+5",
    "1e-05",
    "0e0", "0.1e1", "9007199254740993", "18446744073709551616", "1e400", "3.14159265358979323846264338327950288",
  ])
  func keepsNumbersDigitByDigit(_ text: String) throws {
    #expect(try parse(text) == .number(text))
    #expect(try parse("[\(text)]").jsonText == "[\(text)]")
    #expect(try parse("{\"a\":\(text) }").jsonText == "{\"a\":\(text)}")
  }

  @Test(arguments: [
    "", " ", "\n", "nul", "nulll", "Null", "NULL", "tru", "True", "fals", "undefined", "NaN", "Infinity",
    "-Infinity",
    "+1", "-", "--1", "01", "-01", "00", "1.", ".5", "-.5", "1.e1", "1e", "1e+", "1e1.5", "0x1", "1_000", "1,",
    "1 2",
    "٣", "\"", "\"a", "a\"", "'a'", "\"\n\"", "\"\t\"", "\"\0\"", "\"\u{1F}\"", "\"\\\"", "\"\\x\"", "\"\\a\"",
    "\"\\0\"",
    "\"\\'\"", "\"\\u\"", "\"\\u1\"", "\"\\u12\"", "\"\\u123\"", "\"\\u123g\"", "\"\\u 123\"", "\"\\u+123\"",
    "\"\\U0041\"",
    "\"\\\n\"", "\"a\"b", "[", "]", "[1", "[1,", "[,]", "[1,]", "[,1]", "[1 2]", "[1,,2]", "[1]]", "[\"a]", "{",
    "}",
    "{\"a\"", "{\"a\":", "{\"a\":1", "{\"a\":1,", "{\"a\":1,}", "{,}", "{\"a\"}", "{\"a\":}", "{\"a\" 1}", "{a:1}",
    "{'a':1}",
    "{1:1}", "{null:1}", "{\"a\":1 \"b\":2}", "{\"a\":1}}", "{\"a\"::1}", "[1}", "{\"a\":1]", "// x\n1", "1 // x",
    "/* */ 1",
    "\u{FEFF}1", "\u{A0}1", "\u{B}1", "\u{C}1", "1\0", "{\"a\":1}{\"b\":2}", "#", "\\", "\u{2028}1",
  ])
  func refuses(_ text: String) {
    #expect(throws: JSONError.self) { try parse(text) }
  }

  @Test(arguments: [
    "\"\\ud83d\"", "\"\\ude00\"", "\"\\ud83dx\"", "\"\\ud83d\\n\"", "\"\\ud83d\\u0041\"", "\"\\ud83d\\ud83d\"",
    "\"\\ude00\\ud83d\"", "\"\\udbff\"", "\"\\udc00\"", "\"\\ud83d\\\"", "\"\\ud83d\\u\"", "\"\\ud83d\\ude0\"",
    "\"\\ud83d\\xde00\"", "{\"\\ud83d\":1}",
  ])
  func refusesLoneSurrogates(_ text: String) {
    #expect(throws: JSONError.self) { try parse(text) }
  }

  @Test(
    arguments: [
      [0x80], [0xBF], [0xC3], [0xC3, 0x28], [0xC0, 0x80], [0xC0, 0xAF], [0xC1, 0xBF], [0xE0, 0x80, 0x80],
      [0xE2, 0x82],
      [0xED, 0xA0, 0x80], [0xED, 0xBF, 0xBF], [0xF0, 0x80, 0x80, 0x80], [0xF0, 0x9F, 0x98],
      [0xF4, 0x90, 0x80, 0x80],
      [0xF8, 0x88, 0x80, 0x80, 0x80], [0xFE], [0xFF],
    ] as [[UInt8]])
  func refusesWhatIsNotUTF8(_ bytes: [UInt8]) {
    let quote = UInt8(ascii: "\"")
    let escaped = Array("\\n".utf8)
    for inside in [bytes, bytes + escaped, escaped + bytes, Array("12345678".utf8) + bytes] {
      #expect(throws: JSONError.self) { try JSONValue(parsing: [quote] + inside + [quote]) }
      let key = Array("{\"".utf8) + inside + Array("\":1}".utf8)
      #expect(throws: JSONError.self) { try JSONValue(parsing: key) }
    }
    #expect(throws: JSONError.self) { try JSONValue(parsing: bytes) }
  }

  /// Whatever the position in a word of eight bytes, the scanner must see what ends a string.
  @Test(arguments: 0...40)
  func findsTheEndOfAString(_ length: Int) throws {
    let text = String(repeating: "x", count: length)
    let wide = String(repeating: "é", count: length)
    #expect(try parse("\"\(text)\"") == .string(text))
    #expect(try parse("\"\(wide)\"") == .string(wide))
    #expect(try parse("\"\(text)\\n\(text)\"") == .string("\(text)\n\(text)"))
    #expect(throws: JSONError.self) { try parse("\"\(text)") }
    #expect(throws: JSONError.self) { try parse("\"\(text)\\\"") }
    for control in UInt8.min..<0x20 {
      let bytes = Array("\"\(text)".utf8) + [control] + Array("\(text)\"".utf8)
      #expect(throws: JSONError.self) { try JSONValue(parsing: bytes) }
    }
    for byte in UInt8(0x20)..<0x7F where byte != UInt8(ascii: "\"") && byte != UInt8(ascii: "\\") {
      let inside = text + String(UnicodeScalar(byte)) + text
      #expect(try parse("\"\(inside)\"") == .string(inside))
    }
  }

  @Test(arguments: [
    "{\"a\":1,\"a\":2}", "{\"a\":1,\"a\":1}", "{\"a\":1,\"b\":2,\"a\":3}", "{\"a\":1,\"\\u0061\":2}",
    "{\"\":1,\"\":2}",
    "[{\"x\":{\"a\":1,\"a\":2}}]",
  ])
  func refusesDuplicateMembers(_ text: String) {
    #expect(throws: JSONError.self) { try parse(text) }
  }

  @Test(arguments: [2, 15, 16, 17, 18, 40, 500])
  func refusesDuplicatesAmongMany(_ count: Int) throws {
    let members = (0..<count).map { "\"k\($0)\":\($0)" }
    let object = try #require(try parse("{\(members.joined(separator: ","))}").objectValue)
    #expect(object.members.map(\.key) == (0..<count).map { "k\($0)" })
    for index in [0, count / 2, count - 1] {
      let text = "{\((members + ["\"k\(index)\":true"]).joined(separator: ","))}"
      #expect(throws: JSONError.self) { try parse(text) }
    }
  }

  /// RFC 8259 §8.3 compares names code unit by code unit; Swift's `==` would take these two for one.
  @Test func tellsNamesApartThatOnlyLookAlike() throws {
    let object = try #require(try parse("{\"\u{E9}\":1,\"e\u{301}\":2}").objectValue)
    #expect(object.members.count == 2)
    #expect(object["e\u{301}"] == 2)
  }

  @Test(arguments: ["[", "{\"a\":"])
  func limitsTheDepth(_ opening: String) {
    let closing = opening == "[" ? "]" : "}"
    let nested = { (depth: Int) in
      String(repeating: opening, count: depth) + "0" + String(repeating: closing, count: depth)
    }
    #expect(throws: Never.self) { try parse(nested(100)) }
    #expect(throws: JSONError.self) { try parse(nested(101)) }
    #expect(throws: JSONError.self) { try parse(String(repeating: opening, count: 100_000)) }
  }

  @Test func keepsTheOrderOfMembers() throws {
    let text = "{\"z\":1,\"a\":2,\"m\":{\"y\":3,\"b\":4}}"
    #expect(try parse(text).jsonText == text)
  }

  @Test func tellsWhereItIsWrong() {
    #expect(throws: JSONError(reason: "unexpected text", offset: 6)) { try parse("{\"a\": nope}") }
  }

  // MARK: Round trips

  private static let characters: [Character] = [
    "a", "\"", "\\", "/", "\n", "\r", "\t", "\0", "\u{1F}", "\u{7F}", "é", "e\u{301}", "€", "😀", "\u{2028}",
    "\u{FEFF}",
    "👩‍👩‍👧", "{", "]", " ",
  ]

  private func randomText(_ random: inout SeededGenerator) -> String {
    String(
      (0..<Int.random(in: 0..<12, using: &random)).compactMap { _ in Self.characters.randomElement(using: &random)
      })
  }

  private func randomValue(_ random: inout SeededGenerator, depth: Int = 0) -> JSONValue {
    switch Int.random(in: 0..<(depth < 5 ? 7 : 5), using: &random) {
    case 0: return .null
    case 1: return .bool(Bool.random(using: &random))
    case 2: return .int(Int.random(in: .min ... .max, using: &random))
    case 3:
      return .number("-\(Int.random(in: 0..<9, using: &random)).50e-0\(Int.random(in: 0..<9, using: &random))")
    case 4: return .string(randomText(&random))
    case 5:
      return .array(
        (0..<Int.random(in: 0..<5, using: &random)).map { _ in randomValue(&random, depth: depth + 1) })
    default:
      var object = JSONObject()
      for index in 0..<Int.random(in: 0..<25, using: &random) {
        object["\(index)\(randomText(&random))"] = randomValue(&random, depth: depth + 2)
      }
      return .object(object)
    }
  }

  @Test func readsWhatItWrites() throws {
    var random = SeededGenerator(4)
    for _ in 0..<500 {
      let value = randomValue(&random)
      let bytes = value.jsonBytes
      #expect(try JSONValue(parsing: bytes) == value)
      #expect(try JSONValue(parsing: bytes).jsonBytes == bytes)
      #expect(String(decoding: bytes, as: UTF8.self) == value.jsonText)
    }
  }

  /// What is cut off or changed must be refused or read, never trap.
  @Test func survivesNoise() {
    var random = SeededGenerator(5)
    for _ in 0..<2000 {
      var bytes = randomValue(&random).jsonBytes
      for _ in 0..<Int.random(in: 0..<4, using: &random) where !bytes.isEmpty {
        bytes[Int.random(in: bytes.indices, using: &random)] = UInt8.random(in: .min ... .max, using: &random)
      }
      bytes = Array(bytes.prefix(Int.random(in: 0...bytes.count, using: &random)))
      guard let value = try? JSONValue(parsing: bytes) else { continue }
      #expect((try? JSONValue(parsing: value.jsonBytes)) == value)
    }
  }

  // MARK: Bounds

  private func bounded(
    _ text: String, values: Int = .max, memory: Int = .max
  ) throws -> (value: JSONValue, memory: Int) {
    try JSONValue.parsing(text.utf8.span, within: JSONBounds(maxValues: values, maxMemory: memory))
  }

  private func excess(_ text: String, values: Int = .max, memory: Int = .max) -> Bool {
    do {
      _ = try bounded(text, values: values, memory: memory)
      return false
    } catch {
      return (error as? JSONError)?.isExcess == true
    }
  }

  @Test func countsValues() throws {
    let text = #"{"a":[1,2,{"b":null}],"c":"d"}"#
    #expect(try bounded(text, values: 7).value == parse(text))
    #expect(excess(text, values: 6))
  }

  /// What the elements of all arrays take, and the strings that are too long to be kept in a value.
  @Test func boundsMemory() throws {
    let count = 1000
    for text in [
      "[" + String(repeating: "1,", count: count) + "1]", "[" + String(repeating: "[1],", count: count) + "1]",
      "{" + (0..<count).map { "\"k\($0)\":{}" }.joined(separator: ",") + "}",
      "[" + String(repeating: #""0123456789abcdef","#, count: count) + "1]",
    ] {
      let memory = try bounded(text).memory
      #expect(memory > count * MemoryLayout<JSONValue>.stride)
      #expect(excess(text, memory: memory - 1))
      // Growing takes as much again for a moment.
      #expect(try bounded(text, memory: 2 * memory).value == parse(text))
    }
  }

  /// A body of some size is mostly text, which takes no more than it has.
  @Test func textTakesItsOwnSize() throws {
    let text = #"{"messages":[{"role":"user","content":"\#(String(repeating: "x", count: 100_000))"}]}"#
    #expect(try bounded(text).memory < 101_000)
  }

  @Test func tooDeepIsNoFaultOfTheText() {
    let deep = String(repeating: "[", count: 200) + String(repeating: "]", count: 200)
    #expect(excess(deep))
    #expect(!excess("[1"))
  }

  @Test func findsDuplicatesAmongMany() {
    let members = (0..<1000).map { "\"k\($0)\":1" }.joined(separator: ",")
    #expect(throws: Never.self) { try parse("{\(members)}") }
    #expect(throws: JSONError.self) { try parse("{\(members),\"k500\":1}") }
  }

  @Test(arguments: [("[1,2,3]", 14, 13), (#""abc""#, 5, 4), (#"{"ab":[null,true]}"#, 10, 9), ("12345", 7, 6)])
  func looksNoFurtherThanItMust(_ text: String, _ size: Int, _ less: Int) throws {
    #expect(try !parse(text).isLonger(than: size))
    #expect(try parse(text).isLonger(than: less) || text == "[1,2,3]")
  }
}
