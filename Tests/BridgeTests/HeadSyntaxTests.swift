// The grammar of heads, byte by byte; whole heads are in RequestParserTests.

import Testing

@testable import Bridge

struct HeadSyntaxTests {
  /// RFC 9110 §5.6.2, written out.
  private static let tokenCharacters = Set(
    "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz".utf8)

  @Test func knowsTokenBytes() {
    for byte in UInt8.min...UInt8.max {
      #expect(HeadSyntax.isToken(byte) == Self.tokenCharacters.contains(byte))
    }
  }

  @Test func takesOnlyTokensAsFieldNames() {
    for byte in UInt8.min...UInt8.max where byte != UInt8(ascii: ":") {
      let line: [UInt8] = [byte, UInt8(ascii: ":"), UInt8(ascii: "v")]
      let isAccepted = (try? HeadSyntax.fieldLine(line.span, line.indices)) != nil
      #expect(isAccepted == Self.tokenCharacters.contains(byte))
    }
  }

  /// RFC 9110 §5.5: visible characters, bytes above ASCII, and blanks between them.
  @Test func takesNoControlCharactersInValues() {
    for byte in UInt8.min...UInt8.max {
      let line: [UInt8] = [UInt8(ascii: "n"), UInt8(ascii: ":"), UInt8(ascii: "a"), byte, UInt8(ascii: "b")]
      let isAccepted = (try? HeadSyntax.fieldLine(line.span, line.indices)) != nil
      #expect(isAccepted == (byte == 0x09 || (byte >= 0x20 && byte != 0x7F)))
    }
  }

  @Test func findsNameAndValueInTheirPlaces() throws {
    let bytes = Array("xxName: \t some value \t".utf8)
    let line = try HeadSyntax.fieldLine(bytes.span, 2..<bytes.count)
    #expect(String(decoding: bytes[line.name], as: UTF8.self) == "Name")
    #expect(String(decoding: bytes[line.value], as: UTF8.self) == "some value")
  }

  @Test func findsAnEmptyValue() throws {
    let bytes = Array("Name: \t ".utf8)
    #expect(try HeadSyntax.fieldLine(bytes.span, bytes.indices).value.isEmpty)
  }
}
