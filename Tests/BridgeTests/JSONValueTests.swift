// Looking into JSON values and building them.

import Testing

@testable import Bridge

struct JSONValueTests {
  @Test(
    arguments: [
      ("1", 1), ("-1", -1), ("0", 0), ("-0", 0), ("1.0", 1), ("1e3", 1000), ("9223372036854775807", Int.max),
      ("1.5", nil),
      ("1e400", nil), ("9223372036854775808", nil), ("-9223372036854775809", nil),
    ] as [(String, Int?)])
  func readsIntegers(_ digits: String, _ value: Int?) {
    #expect(JSONValue.number(digits).intValue == value)
  }

  @Test func otherValuesAreNoIntegers() {
    for value: JSONValue in [nil, true, "1", [1], ["a": 1]] { #expect(value.intValue == nil) }
  }

  @Test func objectsAreEqualInAnyOrder() {
    let object: JSONValue = ["a": 1, "b": 2]
    #expect(object == ["b": 2, "a": 1])
    #expect(object != ["a": 1])
    #expect(object != ["a": 1, "b": 3])
    #expect(object != ["a": 1, "c": 2])
  }

  @Test func membersAreReplacedInPlaceAndRemoved() {
    var object = JSONObject()
    object["a"] = 1
    object["b"] = 2
    object["a"] = 3
    #expect(JSONValue.object(object).jsonText == "{\"a\":3,\"b\":2}")
    object["a"] = nil
    object["x"] = nil
    #expect(JSONValue.object(object).jsonText == "{\"b\":2}")
    object["n"] = .null
    #expect(JSONValue.object(object).jsonText == "{\"b\":2,\"n\":null}")
  }

  @Test func missingMembersAreNil() {
    let value: JSONValue = ["a": nil]
    #expect(value["a"] == JSONValue.null)
    #expect(value["b"] == nil)
    #expect(JSONValue.string("a")["a"] == nil)
  }

  @Test(arguments: [
    ("", "\"\""), ("a", "\"a\""), ("\"", "\"\\\"\""), ("\\", "\"\\\\\""), ("\n\r\t", "\"\\n\\r\\t\""),
    ("\0", "\"\\u0000\""), ("\u{8}\u{C}\u{1F}", "\"\\u0008\\u000c\\u001f\""), ("\u{7F}é😀/", "\"\u{7F}é😀/\""),
  ])
  func escapesStrings(_ text: String, _ json: String) {
    #expect(JSONValue.string(text).jsonText == json)
  }

  @Test func namesItsTypes() {
    let names = ([nil, true, 1, "a", [], [:]] as [JSONValue]).map(\.typeName)
    #expect(names == ["null", "a boolean", "a number", "a string", "an array", "an object"])
  }
}
