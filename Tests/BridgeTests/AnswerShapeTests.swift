// What text can be meant as an answer in a certain shape.

import Testing

@testable import Bridge

struct AnswerShapeTests {
  private static let object: JSONValue = [
    "type": "object", "properties": ["a": ["type": "integer"]], "required": ["a"], "additionalProperties": false,
  ]

  @Test(
    arguments: [
      (object, #"{"a":1}"#, true), (object, " {\"a\": \"not looked at\"}\n", true), (object, "{}", false),
      (object, "[1]", false), (object, "Let me see.", false), (object, "", false), (object, #"{"a":1"#, false),
      (["type": ["array", "null"]], "[]", true), (["type": ["array", "null"]], "null", true),
      (["type": ["array", "null"]], "{}", false), (["type": "integer"], "3", true),
      (["type": "integer"], "3.5", false),
      (["type": "number"], "3", true), (["type": "string"], "\"a\"", true), (["type": "string"], "a", false),
      (["type": "boolean"], "true", true), (["anyOf": []], "5", true), (["anyOf": []], "five", false),
    ] as [(JSONValue, String, Bool)])
  func fits(_ schema: JSONValue, _ text: String, _ fits: Bool) {
    #expect(AnswerShape(schema: schema).fits(text) == fits)
  }
}
