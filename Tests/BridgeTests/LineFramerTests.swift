// Lines out of a byte stream.

import Testing

@testable import Bridge

struct LineFramerTests {
  private func lines(_ pieces: [ArraySlice<UInt8>]) -> [String] {
    var framer = LineFramer()
    var result: [String] = []
    for piece in pieces {
      let bytes = Array(piece)
      let isFramed = framer.feed(bytes.span) { result.append(String(decoding: $0.array, as: UTF8.self)) }
      #expect(isFramed)
    }
    return result
  }

  @Test(arguments: [
    ("", []), ("a", []), ("a\n", ["a"]), ("a\nb", ["a"]), ("a\nb\n", ["a", "b"]), ("\n", [""]),
    ("\n\n", ["", ""]),
    ("a\n\nb\n", ["a", "", "b"]), ("a\r\n", ["a\r"]), ("é€😀\n{}\n", ["é€😀", "{}"]),
  ])
  func findsLinesHoweverCut(_ text: String, _ expected: [String]) {
    let bytes = Array(text.utf8)
    #expect(lines([bytes[...]]) == expected)
    for pieces in ParsedRequest.cuts(bytes) { #expect(lines(pieces) == expected) }
  }

  @Test func findsLinesInRandomPieces() {
    var random = SeededGenerator(7)
    for _ in 0..<200 {
      let expected = (0..<Int.random(in: 0..<20, using: &random)).map { index in
        String(repeating: "x\(index)", count: Int.random(in: 0..<30, using: &random))
      }
      let bytes = Array(expected.map { $0 + "\n" }.joined().utf8)
      #expect(lines(random.pieces(of: bytes, upTo: 30)) == expected)
    }
  }

  @Test(arguments: [-1, 0, 1])
  func refusesALineWithoutEnd(_ excess: Int) {
    var framer = LineFramer()
    let piece = [UInt8](repeating: 0x78, count: LineFramer.messageBytes / 4)
    for _ in 0..<3 { #expect(framer.feed(piece.span) { _ in }) }
    let last = [UInt8](repeating: 0x78, count: LineFramer.messageBytes - 3 * piece.count + excess)
    #expect(framer.feed(last.span) { _ in } == (excess <= 0))
  }
}
