// What clients break without, fault by fault (responses.md §2 and §3, measured with each client): our stream has it.

import Testing

@testable import Bridge
@testable import BridgeTestSupport

struct ResponseFaultTests {
  /// A way to spoil a stream that some client does not survive.
  struct Fault: Sendable, CustomTestStringConvertible {
    let name: String
    /// Whether a stream is free of it.
    let isAbsent: @Sendable ([JSONValue]) -> Bool
    let spoil: @Sendable ([JSONValue]) -> [JSONValue]

    var testDescription: String { name }

    init(
      _ name: String, _ spoil: @escaping @Sendable ([JSONValue]) -> [JSONValue],
      _ isAbsent: @escaping @Sendable ([JSONValue]) -> Bool
    ) {
      (self.name, self.spoil, self.isAbsent) = (name, spoil, isAbsent)
    }

    /// Events of a type are missing.
    static func without(
      _ type: String, _ isAbsent: @escaping @Sendable ([JSONValue]) -> Bool
    ) -> Fault {
      Fault("no \(type)", { $0.filter { $0["type"]?.stringValue != type } }, isAbsent)
    }

    /// A member of all events that have it is missing.
    static func without(member: String, _ isAbsent: @escaping @Sendable ([JSONValue]) -> Bool) -> Fault {
      Fault("no \(member)", { $0.map { $0.without(member) } }, isAbsent)
    }

    /// A member of items is missing or another one.
    static func item(
      _ name: String, of type: String, in events: [String], _ change: @escaping @Sendable (JSONValue) -> JSONValue,
      _ isAbsent: @escaping @Sendable ([JSONValue]) -> Bool
    ) -> Fault {
      Fault(
        name,
        {
          $0.map { event in
            guard events.contains(event["type"]?.stringValue ?? ""), let item = event["item"],
              var changed = event.objectValue,
              item["type"]?.stringValue == type
            else { return event }
            changed["item"] = change(item)
            return .object(changed)
          }
        }, isAbsent)
    }
  }

  private static func all(_ events: [JSONValue], _ types: String...) -> [JSONValue] {
    events.filter { types.contains($0["type"]?.stringValue ?? "") }
  }

  private static let added = "response.output_item.added"
  private static let done = "response.output_item.done"

  private static func output(_ events: [JSONValue]) -> [JSONValue] {
    events.last?["response"]?["output"]?.arrayValue ?? []
  }

  /// The items of the last event of a type.
  private static func items(_ events: [JSONValue], _ type: String) -> [JSONValue] {
    output(events).filter { $0["type"]?.stringValue == type }
  }

  /// Events about one item, or a part of one.
  private static func inner(_ events: [JSONValue]) -> [JSONValue] {
    let kinds = ["content_part", "output_text", "reasoning_summary", "function_call_arguments", "mcp_call"]
    return events.filter { event in
      kinds.contains { event["type"]?.stringValue?.hasPrefix("response.\($0)") ?? false }
    }
  }

  /// How many events of a type there are, and how many there have to be.
  private static func has(
    _ type: String, oneFor count: @escaping @Sendable ([JSONValue]) -> Int
  ) -> @Sendable ([JSONValue]) -> Bool {
    { all($0, type).count == count($0) && count($0) > 0 }
  }

  private static func parts(_ events: [JSONValue], _ type: String, _ member: String) -> Int {
    items(events, type).reduce(0) { $0 + ($1[member]?.arrayValue?.count ?? 0) }
  }

  /// What the pieces of each item, put together, are.
  private static func joined(_ events: [JSONValue], _ type: String) -> [String] {
    output(events).indices.map { index in
      all(events, type).filter { $0["output_index"] == .int(index) }.compactMap { $0["delta"]?.stringValue }
        .joined()
    }
  }

  private static func place(_ events: [JSONValue], _ event: JSONValue) -> JSONValue? {
    all(events, added).first { $0["output_index"] == event["output_index"] }?["item"]?["id"]
  }

  private static let sequence: [Fault] = [
    .without("response.created") { all($0, "response.created").count == 1 && $0[0]["type"] == "response.created" },
    .without("response.in_progress") { $0.count > 1 && $0[1]["type"] == "response.in_progress" },
    .without(added, has(added) { output($0).count }),
    .without(done) { events in
      // Items of activity end in any order.
      all(events, done).count == output(events).count
        && output(events).enumerated().allSatisfy { index, item in
          all(events, done).contains { $0["output_index"] == .int(index) && $0["item"] == item }
        }
    },
    .without(
      "response.content_part.added", has("response.content_part.added") { parts($0, "message", "content") }),
    .without("response.content_part.done", has("response.content_part.done") { parts($0, "message", "content") }),
    .without("response.output_text.done", has("response.output_text.done") { parts($0, "message", "content") }),
    .without("response.output_text.delta") { events in
      zip(output(events), joined(events, "response.output_text.delta")).allSatisfy { item, text in
        item["type"] != "message" || item["content"]?.arrayValue?.first?["text"] == .string(text)
      }
    },
    .without(
      "response.reasoning_summary_part.added",
      has("response.reasoning_summary_part.added") { parts($0, "reasoning", "summary") }),
    .without(
      "response.reasoning_summary_part.done",
      has("response.reasoning_summary_part.done") { parts($0, "reasoning", "summary") }),
    .without(
      "response.reasoning_summary_text.done",
      has("response.reasoning_summary_text.done") { parts($0, "reasoning", "summary") }),
    .without("response.function_call_arguments.delta") { events in
      zip(output(events), joined(events, "response.function_call_arguments.delta")).allSatisfy { item, text in
        item["type"] != "function_call" || item["arguments"] == .string(text)
      }
    },
    .without(
      "response.function_call_arguments.done",
      has("response.function_call_arguments.done") { items($0, "function_call").count }),
    .without("response.completed") { $0.last?["type"] == "response.completed" },
  ]

  private static let members: [Fault] = [
    .without(member: "type") { $0.allSatisfy { $0["type"] != nil } },
    .without(member: "sequence_number") { events in
      events.map { $0["sequence_number"]?.intValue } == events.indices.map { $0 }
    },
    .without(member: "item_id") { events in
      inner(events).allSatisfy { $0["item_id"] != nil && $0["item_id"] == place(events, $0) }
    },
    .without(member: "output_index") { events in
      (inner(events) + all(events, added, done)).allSatisfy { $0["output_index"]?.intValue != nil }
    },
    .without(member: "content_index") { events in
      inner(events).allSatisfy {
        let type = $0["type"]?.stringValue ?? ""
        return !type.contains("content_part") && !type.contains("output_text") || $0["content_index"] == 0
      }
    },
    .without(member: "summary_index") { events in
      inner(events).allSatisfy {
        let isSummary = $0["type"]?.stringValue?.contains("reasoning_summary") ?? false
        return !isSummary || $0["summary_index"]?.intValue != nil
      }
    },
    .without(member: "logprobs") { events in
      all(events, "response.output_text.delta", "response.output_text.done").allSatisfy { $0["logprobs"] == [] }
    },
    Fault(
      "content_index from 1",
      { $0.map { event in event["content_index"] == nil ? event : event.with("content_index", 1) } },
      { inner($0).allSatisfy { $0["content_index"] == nil || $0["content_index"] == 0 } }),
    Fault(
      "output_index from 1",
      {
        $0.map { event in event["output_index"]?.intValue.map { event.with("output_index", .int($0 + 1)) } ?? event
        }
      },
      { events in
        all(events, added).map { $0["output_index"]?.intValue } == output(events).indices.map { $0 }
      }),
    Fault(
      "the response's id changes",
      { events in
        events.dropLast()
          + (events.last.map { [$0.with("response", $0["response"]?.with("id", "resp_y") ?? .null)] } ?? [])
      },
      { events in
        let ids = events.compactMap { $0["response"]?["id"] }
        return ids.count == 3 && ids.allSatisfy { $0 == ids[0] }
      }),
    Fault(
      "output is null at the start", { events in events.map { $0.with(deep: "output", .null) } },
      { events in all(events, "response.created").allSatisfy { $0["response"]?["output"] == [] } }),
  ]

  private static let itemsAsTheyMustBe: [Fault] = [
    .item("the ids of added and done differ", of: "function_call", in: [done], { $0.with("id", "fc_other") }) {
      events in
      all(events, added, done).allSatisfy { $0["item"]?["id"] == place(events, $0) }
    },
    .item("a message without an id", of: "message", in: [added, done], { $0.without("id") }) { events in
      all(events, added, done).allSatisfy { $0["item"]?["id"]?.stringValue?.isEmpty == false }
    },
    .item("a call without a status", of: "function_call", in: [added, done], { $0.without("status") }) { events in
      all(events, added, done).allSatisfy { $0["item"]?["status"] != nil }
    },
    .item(
      "a call that begins with its arguments", of: "function_call", in: [added], { $0.with("arguments", "{}") }
    ) {
      all($0, added).allSatisfy { $0["item"]?["arguments"] == nil || $0["item"]?["arguments"] == "" }
    },
    .item("a message whose content is null", of: "message", in: [added], { $0.with("content", .null) }) {
      all($0, added).allSatisfy { $0["item"]?["type"] != "message" || $0["item"]?["content"] == [] }
    },
    .item(
      "a text without annotations", of: "message", in: [done],
      { $0.with("content", [["type": "output_text", "text": "x"]]) }
    ) {
      all($0, done).allSatisfy {
        ($0["item"]?["content"]?.arrayValue ?? []).allSatisfy {
          $0["annotations"] == [] && $0["logprobs"] == [] && $0["type"] == "output_text"
        }
      }
    },
    .item("a phase that clients do not know", of: "message", in: [added], { $0.with("phase", "partial_answer") }) {
      all($0, added, done).allSatisfy { $0["item"]?["phase"].map { $0 == "commentary" } ?? true }
    },
  ]

  @Test(arguments: sequence + members + itemsAsTheyMustBe)
  func whatClientsBreakWithoutIsThere(_ fault: Fault) throws {
    let stream = try ResponseScript.events(ResponseScript.richCalls, .ended(.toolCalls))
    #expect(stream.problems == [])
    #expect(fault.isAbsent(stream.events))
    // The check can tell.
    #expect(!fault.isAbsent(fault.spoil(stream.events)))
  }

  /// The same with all other kinds of items among them.
  @Test(arguments: sequence + members + itemsAsTheyMustBe)
  func itIsThereInEveryStyle(_ fault: Fault) throws {
    for activity in ResponseStyle.Activity.allCases {
      let style = ResponseStyle(activity: activity, commentaryIsMessage: true)
      let stream = try ResponseScript.events(ResponseScript.richCalls, .ended(.toolCalls), style)
      #expect(stream.problems == [])
      #expect(fault.isAbsent(stream.events), "\(activity)")
    }
  }

  /// The lines around the JSON.
  @Test(arguments: ["event: ", "data: "])
  func everyEventHasItsLines(_ line: String) throws {
    let body = try ResponseScript.body(ResponseScript.rich)
    #expect(ResponseEvents(body).problems == [])
    let spoilt = body.components(separatedBy: "\n").filter { !$0.hasPrefix(line) }.joined(separator: "\n")
    #expect(ResponseEvents(spoilt).problems != [])
    #expect(!body.contains("[DONE]"))
  }

  @Test func thereIsNoRefusalAndNoUnknownEvent() throws {
    let known: Set<String> = [
      "response.created", "response.in_progress", Self.added, Self.done, "response.content_part.added",
      "response.content_part.done", "response.output_text.delta", "response.output_text.done",
      "response.reasoning_summary_part.added", "response.reasoning_summary_part.done",
      "response.reasoning_summary_text.delta", "response.reasoning_summary_text.done",
      "response.function_call_arguments.delta", "response.function_call_arguments.done", "response.completed",
    ]
    let stream = try ResponseScript.events(ResponseScript.richCalls, .ended(.toolCalls))
    #expect(Set(stream.types) == known)
    #expect(!JSONValue.array(stream.events).jsonText.contains("\"refusal\""))
  }
}

extension JSONValue {
  /// The object with another value for a member.
  fileprivate func with(_ key: String, _ value: JSONValue) -> JSONValue {
    guard var object = objectValue else { return self }
    object[key] = value
    return .object(object)
  }

  /// The event with another value for a member of its response.
  fileprivate func with(deep key: String, _ value: JSONValue) -> JSONValue {
    guard let response = self["response"] else { return self }
    return with("response", response.with(key, value))
  }
}
