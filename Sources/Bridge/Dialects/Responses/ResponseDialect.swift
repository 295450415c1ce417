// The dialect of the Responses API: the renderers of its answers.

/// The form in which a request of the Responses API is answered.
struct ResponseDialect: AnswerDialect {
  var idPrefix: StaticString { "resp_" }
  var apiName: String { "responses" }

  /// The ids of the response, if it is answered by a turn of its own.
  let ids: ResponseIDs
  /// What every object tells of the request.
  let echo: [UInt8]
  let style: ResponseStyle
  /// The model that the client has named.
  let model: String?
  var framing = ResponseEventWriter.Framing.serverSentEvents
  /// The number of the last event that the client has got before; nil for none.
  var lastSeen: Int?

  /// The same for a client that has got events before, as server-sent events.
  func resumed(after lastSeen: Int?) -> ResponseDialect {
    var resumed = self
    resumed.lastSeen = lastSeen
    resumed.framing = .serverSentEvents
    return resumed
  }

  var ownID: String? { ids.response }

  func renderer(_ identity: AnswerIdentity, stops: [String]) -> any AnswerRenderer {
    ResponseRenderer(objects(identity), style, ResponseEventWriter(framing, after: lastSeen))
  }

  func wholeRenderer(_ identity: AnswerIdentity, stops: [String]) -> any WholeAnswerRenderer {
    ResponseWholeAnswer(objects(identity), style)
  }

  func appendFailure(_ error: APIError, to buffer: inout ByteBuffer) {
    let identity = AnswerIdentity(id: ids.response, created: unixTime(), model: model ?? "")
    let renderer = ResponseRenderer(objects(identity), style, ResponseEventWriter(framing, after: lastSeen))
    renderer.appendStart(to: &buffer)
    renderer.appendFailure(error, to: &buffer)
  }

  /// The objects of the response with this identity.
  func objects(_ identity: AnswerIdentity) -> ResponseObjects {
    ResponseObjects(ids: ResponseIDs(identity.id), identity: identity, echo: echo)
  }
}
