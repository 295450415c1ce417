// The chunked coding by itself; malformed and limited bodies are in RequestParserTests, where they have heads.

import Testing

@testable import Bridge

struct ChunkedDecoderTests {
  /// Encodes as clients do, in chunks of the given sizes.
  private func encoded(_ bytes: [UInt8], _ pieces: [ArraySlice<UInt8>]) -> [UInt8] {
    pieces.filter { !$0.isEmpty }.flatMap {
      Array("\(String($0.count, radix: 16))\r\n".utf8) + $0 + Array("\r\n".utf8)
    } + Array("0\r\n\r\n".utf8)
  }

  private func decoded(_ pieces: [ArraySlice<UInt8>]) throws -> (body: [UInt8], rest: Int?) {
    var decoder = ChunkedDecoder()
    var body: [UInt8] = []
    for piece in pieces {
      let bytes = Array(piece)
      var offset = 0
      reading: while true {
        switch try decoder.next(bytes.span, &offset) {
        case .body(let range): body += bytes[range]
        case .end: return (body, bytes.count - offset)
        case .needMore:
          break reading
        case .head, .failure:
          Issue.record("a decoder has neither heads nor failures")
          return (body, nil)
        }
      }
    }
    return (body, nil)
  }

  @Test func returnsWhatWasEncoded() throws {
    var random = SeededGenerator(3)
    for _ in 0..<300 {
      let body = (0..<Int.random(in: 0..<200, using: &random)).map { _ in UInt8.random(in: 0...255, using: &random)
      }
      let text = encoded(body, random.pieces(of: body))
      #expect(try decoded(random.pieces(of: text)).body == body)
    }
  }

  @Test func leavesWhatFollows() throws {
    let text = Array("3\r\nabc\r\n0\r\n\r\nGET /".utf8)
    let result = try decoded([text[...]])
    #expect(result.body == Array("abc".utf8))
    #expect(result.rest == 5)
  }

  @Test func wantsMoreUntilTheLastByte() throws {
    let text = Array("3\r\nabc\r\n0\r\nX: y\r\n\r\n".utf8)
    for end in text.indices { #expect(try decoded([text[..<end]]).rest == nil) }
  }
}
