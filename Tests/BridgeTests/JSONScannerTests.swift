// Stepping over JSON without reading it.

import Testing

@testable import Bridge

struct JSONScannerTests {
  /// Where a value ends, nil if it is malformed.
  private func end(of text: String) -> Int? {
    var scanner = JSONScanner()
    let bytes = Array(text.utf8)
    do throws(JSONError) {
      try scanner.skipValue(bytes.span)
      return scanner.offset
    } catch {
      return nil
    }
  }

  @Test(arguments: [
    "null", "true", "-1.5e3", "\"\"", "\"a\\\"b\"", "\"\\\\\"", "[]", "[1,[2,{\"a\":\"]\"}]]",
    "{\"a\":{\"b\":\"}\"},\"c\":[]}",
    "  {\"a\" : 1 }",
  ])
  func stepsOverOneValue(_ text: String) {
    #expect(end(of: text) == text.utf8.count)
    #expect(end(of: text + ",rest") == text.utf8.count)
  }

  @Test(arguments: [
    "", "[", "{\"a\"", "{\"a\":", "[1", "\"", "\"\\", "nul", "-", "1.", "]", "}", ",", "{1:2}", "[1}", "\"\n\"",
  ])
  func refusesBrokenValues(_ text: String) { #expect(end(of: text) == nil) }

  @Test func limitsTheDepth() {
    let nested = { (depth: Int) in String(repeating: "[", count: depth) + String(repeating: "]", count: depth) }
    #expect(end(of: nested(100)) == 200)
    #expect(end(of: nested(102)) == nil)
    #expect(end(of: String(repeating: "[", count: 200_000)) == nil)
  }

  /// Beside every byte at every place of the eight that are looked at together.
  @Test func stepsOverPlainTextAndTellsWhetherItIsASCII() {
    for byte in UInt8.min ... .max {
      for place in 0..<17 {
        var bytes = [UInt8](repeating: 0x61, count: 17)
        bytes[place] = byte
        let isSpecial = byte < 0x20 || byte == 0x22 || byte == 0x5C
        let run = JSONScanner.plainRun(bytes.span, from: 0)
        #expect(run.end == (isSpecial ? place : 17))
        #expect(run.isASCII == (byte < 0x80))
      }
    }
    // What lies behind the end tells nothing.
    for end in 0..<9 {
      let bytes = [UInt8](repeating: 0x61, count: end) + [0x22] + [UInt8](repeating: 0xC3, count: 9)
      let run = JSONScanner.plainRun(bytes.span, from: 0)
      #expect(run.end == end)
      #expect(run.isASCII)
    }
  }

  @Test func lendsStringsStillEscaped() throws {
    let bytes = Array(" \"a\\u0041\\\"b\" ".utf8)
    var scanner = JSONScanner()
    let (range, hasEscapes) = try scanner.string(bytes.span)
    #expect(String(decoding: bytes[range], as: UTF8.self) == "a\\u0041\\\"b")
    #expect(hasEscapes)
  }
}
