// Values that the demo model makes up for a schema.

import Testing

@testable import Bridge

struct DemoInstanceTests {
  private func value(_ schema: String) throws -> String {
    DemoInstance.make(try JSONValue(parsing: schema)).jsonText
  }

  @Test(
    arguments: [
      (#"{"type":"string"}"#, #""demo""#), (#"{"type":"integer"}"#, "1"), (#"{"type":"number"}"#, "1.5"),
      (#"{"type":"boolean"}"#, "true"), (#"{"type":"null"}"#, "null"), ("{}", #""demo""#),
      (#"{"type":"array"}"#, "[]"), (#"{"type":"array","items":{}}"#, "[]"),
      (#"{"type":"array","items":{"type":"integer"}}"#, "[1]"),
      (#"{"items":{"type":"integer"},"minItems":2}"#, "[1,1]"),
      (#"{"prefixItems":[{"type":"integer"},{"type":"boolean"}],"type":"array"}"#, "[1,true]"),
      (#"{"type":"object"}"#, "{}"),
    ])
  func eachTypeHasAPlainValue(_ schema: String, _ expected: String) throws {
    #expect(try value(schema) == expected)
  }

  @Test(
    arguments: [
      (#"{"type":"integer","minimum":5}"#, "5"), (#"{"type":"integer","exclusiveMinimum":5}"#, "6"),
      (#"{"type":"integer","maximum":-2}"#, "-2"), (#"{"type":"number","maximum":0.5}"#, "0.5"),
      (#"{"type":"number","minimum":7}"#, "7"), (#"{"type":"string","maxLength":2}"#, #""de""#),
      (#"{"type":"string","minLength":6}"#, #""demoxx""#),
      (#"{"type":"string","format":"date"}"#, #""2026-01-31""#),
      (#"{"type":"array","items":{"type":"integer"},"maxItems":0}"#, "[]"),
    ])
  func limitsAreKept(_ schema: String, _ expected: String) throws { #expect(try value(schema) == expected) }

  @Test(
    arguments: [
      (#"{"const":"k","type":"string"}"#, #""k""#), (#"{"enum":["b","a"]}"#, #""b""#),
      (#"{"type":"string","default":"d"}"#, #""d""#), (#"{"type":"string","examples":["e","f"]}"#, #""e""#),
      (#"{"anyOf":[{"type":"integer"},{"type":"string"}]}"#, "1"),
      (#"{"oneOf":[{"const":"x"},{"type":"string"}]}"#, #""x""#),
    ])
  func whatTheSchemaNamesIsTaken(_ schema: String, _ expected: String) throws {
    #expect(try value(schema) == expected)
  }

  @Test(
    arguments: [
      #"{"type":["string","null"]}"#, #"{"type":["string","null"],"enum":["a",null]}"#,
      #"{"type":"string","nullable":true}"#,
      #"{"anyOf":[{"type":"string"},{"type":"null"}]}"#, ##"{"anyOf":[{"$ref":"#/x"},{"type":"null"}]}"##,
    ])
  func whatMayBeNullIsNull(_ schema: String) throws { #expect(try value(schema) == "null") }

  @Test func anObjectHasItsRequiredProperties() throws {
    let properties =
      #""properties":{"a":{"type":"string"},"b":{"type":"integer"},"c":{"type":["integer","null"]}}"#
    #expect(try value(#"{"type":"object",\#(properties),"required":["b","c"]}"#) == #"{"b":1,"c":null}"#)
    #expect(try value(#"{"type":"object",\#(properties)}"#) == #"{"a":"demo","b":1,"c":null}"#, "none is named")
    #expect(try value(#"{\#(properties),"required":[]}"#) == "{}")
  }

  @Test func partsAreMerged() throws {
    let part = #"{"type":"object","properties":{"a":{"type":"integer"}}}"#
    #expect(try value(#"{"allOf":[\#(part)],"properties":{"b":{"type":"boolean"}}}"#) == #"{"b":true,"a":1}"#)
    #expect(try value(#"{"allOf":[{"type":"string"}]}"#) == #""demo""#)
  }

  @Test func referencesAreFollowed() throws {
    let schema = """
      {"$defs":{"City":{"type":"object","properties":{"name":{"type":"string"},"twin":{"$ref":"#/$defs/City"}},
      "required":["name"]},"a/b":{"const":7}},"type":"object",
      "properties":{"city":{"$ref":"#/$defs/City"},"n":{"$ref":"#/$defs/a~1b"}},"required":["city","n"]}
      """
    #expect(try value(schema) == #"{"city":{"name":"demo"},"n":7}"#)
    #expect(try value(##"{"$ref":"#/nowhere"}"##) == "null")
  }

  @Test(
    arguments: [
      ##"{"$ref":"#"}"##, ##"{"type":"object","properties":{"next":{"$ref":"#"}},"required":["next"]}"##,
      ##"{"type":"object","properties":{"list":{"type":"array","items":{"$ref":"#"}}},"required":["list"]}"##,
    ])
  func aSchemaThatContainsItselfComesToAnEnd(_ schema: String) throws { #expect(try value(schema).count < 1000) }
}
