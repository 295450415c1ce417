// What was said and done in a session as a list, read from the engine's own record.

/// Which part of a transcript is asked for.
struct TranscriptWindow: Sendable, Equatable {
  static let maxLimit = 100

  /// The largest number of items.
  let limit: Int
  /// How many items come before it.
  let start: Int

  /// Reads `limit` and `after`.
  init(_ parameters: [String: String]) throws(APIError) {
    guard let limit = parameters["limit"].map({ Int($0) }) ?? Self.maxLimit, (1...Self.maxLimit).contains(limit)
    else { throw .invalid("'limit' must be a number from 1 to \(Self.maxLimit).", param: "limit") }
    guard let last = parameters["after"].map({ Int($0) }) ?? -1, last >= -1, last < Int.max else {
      throw .invalid("'after' must be the id of a message.", param: "after")
    }
    self.limit = limit
    start = last + 1
  }
}

/// Reads what was said in sessions.
@LoopActor
struct SessionTranscripts {
  /// A page ends before its texts have more bytes together, unless its first item alone has. With more, whoever reads long
  /// conversations page by page waits longer for each; with less it asks more often.
  private nonisolated static let maxPageBytes = 1 << 20

  private let engine: any TurnEngine

  init(engine: any TurnEngine) { self.engine = engine }

  /// A page of what was said in the thread that a session has used last. Ids are the places of items.
  func page(
    _ window: TranscriptWindow, of record: SessionRecord, for owner: Principal
  ) async throws(APIError) -> JSONValue {
    let items: [Transcript.Item]
    do throws(EngineError) {
      items = try await self.items(of: record.current, owner)
    } catch {
      throw APIError(error, hasStarted: false)
    }
    return await HeavyWork.run(for: owner) { Self.page(window, items) }
  }

  /// What was put into a thread is in its own record or, where that cannot be read, in those of the threads before it.
  private func items(of thread: ThreadRecord, _ owner: Principal) async throws(EngineError) -> [Transcript.Item] {
    let latest = try await engine.transcript(of: thread.id, for: owner)
    if latest.isWhole { return latest.items }
    var items: [Transcript.Item] = []
    for id in thread.previous.suffix(SessionRecord.maxThreads) {
      do throws(EngineError) {
        items += try await engine.transcript(of: id, for: owner).items
      } catch {
        Log.warning("an earlier thread of a session cannot be read", ["thread": id, "error": error])
      }
    }
    return items + latest.items
  }

  private nonisolated static func page(_ window: TranscriptWindow, _ items: [Transcript.Item]) -> JSONValue {
    var entries: [JSONValue] = []
    var bytes = 0
    let wanted = items.dropFirst(window.start).prefix(window.limit)
    for (place, item) in zip(wanted.indices, wanted) {
      bytes += item.byteCount
      if bytes > maxPageBytes, !entries.isEmpty { break }
      entries.append(item.object(id: String(place)))
    }
    let hasMore = window.start < items.count && window.start + entries.count < items.count
    return ["object": "list", "data": .array(entries), "has_more": .bool(hasMore)]
  }
}

extension Transcript.Item {
  fileprivate var byteCount: Int {
    switch content {
    case .message(_, let parts), .toolOutput(_, let parts): parts.reduce(0) { $0 + $1.byteCount }
    case .command(let text, _): text.utf8.count
    case .toolCall(let call): call.arguments.utf8.count
    }
  }

  /// `role` and `content` as in a chat, and what else there is of its `type`.
  fileprivate func object(id: String) -> JSONValue {
    var object = JSONObject()
    object["id"] = .string(id)
    object["object"] = "session.item"
    switch content {
    case .message(let role, let parts):
      object["type"] = "message"
      object["role"] = role == .user ? "user" : "assistant"
      object["content"] = Self.content(parts)
      // Clients were told it beside the answer, so one that shows the conversation again tells the two apart by this.
      if isCommentary { object["phase"] = "commentary" }
    case .command(let command, let status):
      object["type"] = "command"
      object["role"] = "assistant"
      object["content"] = .null
      object["command"] = .string(command)
      object["status"] = .string(status.rawValue)
    case .toolCall(let call):
      object["type"] = "function_call"
      object["role"] = "assistant"
      object["content"] = .null
      object["call_id"] = .string(call.id)
      object["name"] = .string(call.name)
      object["arguments"] = .string(call.arguments)
    case .toolOutput(let callID, let parts):
      object["type"] = "function_call_output"
      object["role"] = "tool"
      object["content"] = Self.content(parts)
      object["call_id"] = .string(callID)
    }
    object["turn_id"] = .text(turnID)
    return .object(object)
  }

  /// A text, or parts where there are images among them.
  private static func content(_ parts: [Transcript.Part]) -> JSONValue {
    let texts = parts.compactMap { if case .text(let text) = $0 { text } else { nil } }
    return texts.count == parts.count ? .string(texts.joined(separator: "\n")) : .array(parts.map(\.object))
  }
}

extension Transcript.Part {
  fileprivate var byteCount: Int { if case .text(let text) = self { text.utf8.count } else { 0 } }

  fileprivate var object: JSONValue {
    switch self {
    case .text(let text): ["type": "text", "text": .string(text)]
    case .image(let type, let bytes): ["type": "image", "media_type": .text(type), "bytes": .int(bytes)]
    }
  }
}
