// Outputs that come late, among the items of a thread.

import Testing

@testable import Bridge

struct PlacedOutputsTests {
  private static func call(_ id: String, namespace: String = "client") -> String {
    #"{"type":"function_call","name":"f","namespace":"\#(namespace)","arguments":"{}","call_id":"\#(id)"}"#
  }

  private static func output(_ id: String, _ text: String) -> String {
    #"{"type":"function_call_output","id":"fco_\#(id)","call_id":"\#(id)","output":"\#(text)"}"#
  }

  private static func brought(_ id: String, _ text: String) -> Conversation.ToolOutput {
    Conversation.ToolOutput(callID: id, parts: [.text(text)])
  }

  private static let said = #"{"type":"message","role":"user","content":[]}"#

  @Test func takeThePlaceOfWhatCodexHasSaid() {
    let items = [
      Self.call("1"), Self.call("2"), Self.output("1", "cancelled"), Self.output("2", "aborted"), Self.said,
    ]
    let placed = PlacedOutputs.place([Self.brought("2", "two"), Self.brought("9", "nine")], in: items)
    #expect(placed.texts == [items[0], items[1], items[2], Self.output("2", "two"), Self.said])
    #expect(placed.answeredCalls == ["2"] && placed.areChanged)
  }

  @Test func thatAreThereChangeNothing() {
    let items = [Self.call("1"), Self.output("1", "one"), Self.said]
    let placed = PlacedOutputs.place([Self.brought("1", "one")], in: items)
    #expect(placed.texts == items && placed.answeredCalls == ["1"] && !placed.areChanged)
  }

  @Test func followTheCallsOfTheirResponse() throws {
    let items = [Self.call("1"), Self.call("2"), Self.said, Self.call("3")]
    let placed = PlacedOutputs.place(["1", "3"].map { Self.brought($0, "out") }, in: items)
    let ids = try placed.texts.map { try JSONValue(parsing: $0) }.map { item in
      (item["type"]?.stringValue ?? "") + (item["call_id"]?.stringValue ?? "")
    }
    #expect(
      ids == [
        "function_call1", "function_call2", "function_call_output1", "message", "function_call3",
        "function_call_output3",
      ])
  }

  /// Some models number their calls anew in each response.
  @Test func belongToTheLastCallOfTheirID() {
    let items = [Self.call("0"), Self.output("0", "first"), Self.call("0"), Self.output("0", "aborted")]
    let placed = PlacedOutputs.place([Self.brought("0", "second")], in: items)
    #expect(placed.texts == [items[0], items[1], items[2], Self.output("0", "second")])
  }

  @Test func doNotTouchCodexsOwnCalls() {
    let items = [Self.call("1", namespace: "other"), Self.output("1", "ran"), "no JSON"]
    #expect(PlacedOutputs.place([Self.brought("1", "x")], in: items) == ThreadItems(texts: items))
  }
}
