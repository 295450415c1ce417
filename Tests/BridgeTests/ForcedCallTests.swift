// A call that must be made: schemas closed and values opened again, answers that become calls, arguments that depart from a
// schema.

import Testing

@testable import Bridge

struct ForcedCallTests {
  private static func json(_ text: String) throws -> JSONValue { try JSONValue(parsing: text) }

  private static func tool(_ name: String, _ parameters: JSONValue, strict: Bool = false) -> Conversation.Tool {
    Conversation.Tool(name: name, description: "", parameters: parameters, isStrict: strict)
  }

  private static let weather: JSONValue = [
    "type": "object",
    "properties": [
      "city": ["type": "string", "default": "Rome", "pattern": "x"], "days": ["type": "integer"],
      "unit": ["enum": ["c", "f"]], "place": ["anyOf": [["type": "string"], ["type": "number"]]],
    ],
    "required": ["city"],
  ]

  @Test func closesAnObject() throws {
    let closed = try #require(ClosedSchema(Self.weather)).value
    #expect(closed["additionalProperties"] == false)
    #expect(closed["required"] == ["city", "days", "unit", "place"])
    #expect(closed["properties"]?["city"] == ["type": "string"])
    #expect(closed["properties"]?["days"] == ["type": ["integer", "null"]])
    #expect(closed["properties"]?["unit"] == ["anyOf": [["enum": ["c", "f"]], ["type": "null"]]])
    #expect(
      closed["properties"]?["place"] == ["anyOf": [["type": "string"], ["type": "number"], ["type": "null"]]])
  }

  @Test func closesWhatIsNested() throws {
    let schema = try Self.json(
      ##"{"type":"object","properties":{"list":{"type":"array","items":{"$ref":"#/$defs/P"}}},"required":["list"],"##
        + ##""$defs":{"P":{"type":"object","properties":{"x":{"type":"number"}}}}}"##)
    let closed = try #require(ClosedSchema(schema)).value
    #expect(closed["$defs"]?["P"]?["required"] == ["x"])
    let value = try Self.json(#"{"list":[{"x":null},{"x":1}]}"#)
    #expect(try ClosedSchema.opened(value, by: schema) == Self.json(#"{"list":[{},{"x":1}]}"#))
  }

  @Test(arguments: [
    #"{"type":"object","additionalProperties":true}"#,
    #"{"type":"object","additionalProperties":{"type":"string"}}"#,
    #"{"type":"object","properties":{"a":{}}}"#, #"{"type":"object","properties":{"a":{"type":"object"}}}"#,
    #"{"type":"object","properties":{"a":{"type":"array"}}}"#, #"{"oneOf":[{"type":"string"}]}"#, "true", "[]",
    #"{"type":"object","properties":{"a":{"allOf":[{"type":"string"}]}}}"#, #"{"type":"object","properties":[]}"#,
  ])
  func someSchemasCannotBeClosed(_ schema: String) throws {
    #expect(try ClosedSchema(Self.json(schema)) == nil)
  }

  @Test func aDeepSchemaIsGivenUp() throws {
    var schema: JSONValue = ["type": "string"]
    for _ in 0..<40 { schema = ["type": "object", "properties": ["a": schema]] }
    #expect(ClosedSchema(schema) == nil)
  }

  @Test func noParametersAreNone() throws {
    let forced = try #require(
      ForcedCall(Conversation.Tools(functions: [Self.tool("f", ["type": "object"])], choice: .required)))
    #expect(forced.call(from: "{}", id: "1") == Conversation.ToolCall(id: "1", name: "f", arguments: "{}"))
  }

  @Test func theAnswerIsTheArgumentsOfANamedFunction() throws {
    let tools = [Self.tool("g", ["type": "object"]), Self.tool("weather", Self.weather)]
    let forced = try #require(ForcedCall(Conversation.Tools(functions: tools, choice: .named("weather"))))
    let answer = #"{"city":"Rome","days":null,"unit":null,"place":2}"#
    #expect(
      forced.call(from: answer, id: "1")
        == Conversation.ToolCall(id: "1", name: "weather", arguments: #"{"city":"Rome","place":2}"#))
    for text in ["", "Rome", "[]", "5"] { #expect(forced.call(from: text, id: "1") == nil, "\(text)") }
  }

  @Test func theAnswerNamesOneOfSeveralFunctions() throws {
    let tools = [Self.tool("g", ["type": "object"]), Self.tool("weather", Self.weather)]
    let forced = try #require(ForcedCall(Conversation.Tools(functions: tools, choice: .required)))
    #expect(forced.schema["properties"]?["call"]?["anyOf"]?.arrayValue?.count == 2)
    let answer = #"{"call":{"name":"weather","arguments":{"city":"Rome","days":3,"unit":null,"place":null}}}"#
    #expect(
      forced.call(from: answer, id: "1")
        == Conversation.ToolCall(id: "1", name: "weather", arguments: #"{"city":"Rome","days":3}"#))
    for text in [#"{"call":{"name":"h","arguments":{}}}"#, #"{"call":{"name":"g"}}"#, "{}"] {
      #expect(forced.call(from: text, id: "1") == nil, "\(text)")
    }
  }

  @Test func nothingIsForcedWhereNothingMustBe() {
    let tools = [Self.tool("f", ["type": "object"])]
    #expect(ForcedCall(Conversation.Tools(functions: tools, choice: .auto)) == nil)
    #expect(ForcedCall(Conversation.Tools(functions: tools, choice: .none)) == nil)
    let open = [Self.tool("f", ["type": "object", "additionalProperties": true])]
    #expect(ForcedCall(Conversation.Tools(functions: open, choice: .required)) == nil)
  }

  // MARK: Arguments

  @Test(arguments: [
    (#"{"city":"Rome"}"#, nil), (#"{"city":"Rome","days":3,"unit":"c","place":1.5}"#, nil),
    (#"{}"#, "'city' is missing"), (#"{"city":1}"#, "'city' is"), (#"{"city":"a","days":1.5}"#, "'days' is"),
    (#"{"city":"a","unit":"k"}"#, "'unit' is none"), (#"{"city":"a","place":true}"#, "'place' fits no form"),
    ("[]", "the arguments is"),
  ])
  func findsWhatDeparts(_ value: String, _ fault: String?) throws {
    let found = try SchemaFault.first(in: Self.json(value), by: Self.weather)
    #expect(fault == nil ? found == nil : found?.hasPrefix(fault ?? "") == true, "\(found ?? "nothing")")
  }

  @Test func findsMembersThatAreNotAllowed() throws {
    let schema = try Self.json(
      #"{"type":"object","properties":{"a":{"type":"array","items":{"const":1}}},"additionalProperties":false}"#)
    #expect(try SchemaFault.first(in: Self.json(#"{"b":1}"#), by: schema) == "'b' is not among its members")
    #expect(
      try SchemaFault.first(in: Self.json(#"{"a":[1,2]}"#), by: schema) == "'a[1]' is not the one allowed value")
  }

  /// Each form of each level leads back to all forms: nobody could look at all ways through.
  @Test func aSchemaOfManyWaysEnds() throws {
    let form: JSONValue = [
      "type": "object", "properties": ["n": ["$ref": "#/$defs/a"]], "additionalProperties": false,
    ]
    let schema: JSONValue = [
      "type": "object", "properties": ["x": ["$ref": "#/$defs/a"]],
      "$defs": ["a": ["anyOf": .array(Array(repeating: form, count: 40))]],
    ]
    var value: JSONValue = ["bad": 1]
    for _ in 0..<12 { value = ["n": value] }
    _ = SchemaFault.first(in: ["x": value], by: schema)
    _ = ClosedSchema.opened(["x": value], by: schema)
  }

  @Test func longSchemasAreOnlyAskedFor() {
    let many = (0..<20_000).map { JSONObject.Member(key: "property\($0)", value: ["type": "string"]) }
    let tool = Self.tool("f", ["type": "object", "properties": .object(JSONObject(many))])
    #expect(ForcedCall(Conversation.Tools(functions: [tool], choice: .required)) == nil)
  }

  @Test func aSchemaThatRefersToItselfEnds() throws {
    let schema = try Self.json(##"{"$ref":"#"}"##)
    #expect(SchemaFault.first(in: [:], by: schema) == nil)
    let loop = try Self.json(##"{"type":"object","properties":{"a":{"$ref":"#/properties/a"}}}"##)
    #expect(SchemaFault.first(in: ["a": 1], by: loop) == nil)
    _ = ClosedSchema.opened(["a": 1], by: loop)
  }
}
