// The app-server's output: the quick reading of a line agrees with the general one, nothing a line says stops the
// bridge, and what goes on to clients unopened is sound.

@testable import Bridge

enum RPCProperty {
  private static let objects = ChatObjects(
    identity: AnswerIdentity(id: "i", created: 1, model: "m"), includesUsage: false)

  static func check(_ bytes: [UInt8]) throws(Violation) {
    let lines = Self.lines([bytes[...]])
    try require(Self.lines(bytes.randomPieces()) == lines, "other lines when cut")
    var mapper = TurnEventMapper(baseline: nil)
    var events: [TurnEvent] = []
    var known: Known?
    for line in lines {
      let general = general(line)
      try checkScanner(line, general)
      try checkKnown(known, line)
      guard let message = try message(line, general) else { continue }
      if case .answerDelta(let delta) = message { known = Known(delta, line) ?? known }
      events += try Self.events(message, line, &mapper)
    }
    events.append(.ended(.completed(mapper.turnUsage)))
    try checkAnswers(events, stops: bytes.count.isMultiple(of: 2) ? [] : ["ab", "\n\n", "é"])
  }

  private static func lines(_ pieces: [ArraySlice<UInt8>]) -> [[UInt8]] {
    var framer = LineFramer()
    var lines: [[UInt8]] = []
    // A last line without its end would never be read.
    for piece in pieces + [[0x0A]] { _ = framer.feed(Array(piece).span) { lines.append($0.array) } }
    return lines
  }

  // MARK: Two readings of a line

  /// What stepping over a value does not look at: the inside of its strings and which names occur twice.
  private static func isOverlookedBySkipping(_ error: JSONError) -> Bool {
    ["twice", "UTF-8", "surrogate", "escape"].contains { error.reason.contains($0) }
  }

  private static func general(_ line: [UInt8]) -> Result<JSONValue, JSONError> {
    Result { () throws(JSONError) in try JSONValue(parsing: line) }
  }

  private static func checkScanner(
    _ line: [UInt8],
    _ general: Result<JSONValue, JSONError>
  ) throws(Violation) {
    var scanner = JSONScanner()
    var isSkipped = false
    if (try? scanner.skipValue(line.span)) != nil {
      scanner.skipWhitespace(line.span)
      isSkipped = scanner.offset == line.count
    }
    switch general {
    case .success(let value):
      try require(isSkipped, "sound JSON that cannot be stepped over")
      try require(Self.general(value.jsonBytes) == .success(value), "JSON that reads back otherwise")
    case .failure(let error):
      try require(!isSkipped || isOverlookedBySkipping(error), "refused and yet stepped over: \(error)")
    }
  }

  private static func message(
    _ line: [UInt8],
    _ general: Result<JSONValue, JSONError>
  ) throws(Violation) -> RPCMessage? {
    let message = try? RPCMessage.parse(line.span)
    switch general {
    case .success(let value): try checkMeaning(message, line, value)
    case .failure(let error):
      guard let message else { return nil }
      guard case .answerDelta = message, isOverlookedBySkipping(error) else {
        throw Violation(description: "a message in what is no JSON: \(error)")
      }
    }
    return message
  }

  /// What is taken without being parsed would have been parsed to the same.
  private static func checkKnown(_ known: Known?, _ line: [UInt8]) throws(Violation) {
    guard var known, known.head.begins(line.span, Known.seeds),
      let (text, hasEscapes) = known.form.text(of: line.span, from: known.head.count)
    else { return }
    let parsed = AnswerDelta(scanning: line.span)
    try require(parsed?.text == text && parsed?.hasEscapes == hasEscapes, "another text than the parser's")
    // The time of this line is the one that is known now.
    let again = known.form.text(of: line.span, from: known.head.count)
    try require(again?.range == text, "not taken a second time")
    // All that may differ from the line it is compared with lies behind its ids.
    try require(
      parsed?.threadID == known.delta.threadID && parsed?.turnID == known.delta.turnID
        && parsed?.itemID == known.delta.itemID, "another message than the parser's")
  }

  /// A line that was parsed, and what is known of the next ones from it.
  private struct Known {
    let delta: AnswerDelta
    static let seeds = Fingerprint.Seeds()

    let head: AnswerDeltaHead
    var form: AnswerDeltaForm

    init?(_ delta: AnswerDelta, _ line: [UInt8]) {
      guard let form = AnswerDeltaForm(of: delta, in: line.span) else { return nil }
      self.delta = delta
      self.form = form
      head = AnswerDeltaHead(of: delta, in: line.span, seeds: Self.seeds)
    }
  }

  /// What the general parser says is what the line means.
  private static func checkMeaning(
    _ message: RPCMessage?,
    _ line: [UInt8],
    _ value: JSONValue
  ) throws(Violation) {
    let params = value["params"] ?? .null
    let fields = ["threadId", "turnId", "itemId", "delta"].compactMap { params[$0]?.stringValue }
    guard let method = value["method"]?.stringValue else {
      guard let message else { return try require(value["id"]?.intValue == nil, "an answer that is overlooked") }
      guard case .response(let id, _) = message, id == value["id"]?.intValue else {
        throw Violation(description: "no answer, and taken for one")
      }
      return
    }
    switch message {
    case nil, .response: throw Violation(description: "a message with a method that is taken for none")
    case .request(let id, let name, let read):
      try require(id == value["id"] && name == method && read == params, "another request")
    case .notification(let name, let read):
      try require(name == method && read == params, "another notification")
    case .answerDelta(let delta):
      try require(method == Notification.answerDelta, "a delta that is none")
      let ids = [delta.threadID, delta.turnID, delta.itemID].map { String(decoding: line[$0], as: UTF8.self) }
      let text = EscapedText(raw: String(decoding: line[delta.text], as: UTF8.self)).text
      try require(fields == ids + [text], "another delta: \(delta)")
    }
  }

  // MARK: From a line to the client

  private static func events(
    _ message: RPCMessage,
    _ line: [UInt8],
    _ mapper: inout TurnEventMapper
  ) throws(Violation) -> [TurnEvent] {
    switch message {
    case .answerDelta(let delta):
      let message = mapper.message(line.span.extracting(delta.itemID))
      let placement = mapper.delta(
        line.span.extracting(delta.text), hasEscapes: delta.hasEscapes, of: message)
      return placement.events(EscapedText(raw: String(decoding: line[delta.text], as: UTF8.self)))
    case .notification(let method, let params):
      if params["earlier"] != nil { mapper.earlierUsage(params) }
      readTheRest(params)
      return mapper.map(method, params)
    case .request(_, let method, let params):
      let item = (params["itemId"]?.stringValue).flatMap { mapper.tools.fileChange($0) }
      try checkQuestion(
        ServerRequestPolicy.answer(method: method, params: params, item: item, ChatProperty.profile))
    case .response(_, .result(let result)): readTheRest(result)
    case .response(_, let reply): _ = try? CodexPayload.result(of: reply)
    }
    return []
  }

  /// Whatever is asked, each line of it for people is one line.
  private static func checkQuestion(_ answer: ServerRequestAnswer) throws(Violation) {
    guard case .ask(let question, _) = answer else { return }
    for line in question.lines(maxDiffLines: 50) + [question.subject] {
      try require(line == line.printable, "a line of a question that is not escaped")
    }
  }

  /// Readers of answers that have nothing to be compared with; they must not trap.
  private static func readTheRest(_ value: JSONValue) {
    var failure = TurnFailure(codexError: value["turn"]?["error"])
    failure.resetsAt = value["resetsAt"]?.intValue
    _ = APIError(failure)
    _ = CodexPayload.history(value)
    _ = (value["data"]?.arrayValue ?? []).compactMap(EngineModel.init)
    _ = CodexVersion(in: value["userAgent"]?.stringValue ?? "")
  }

  /// The chunks of a stream say what the answer in one piece says.
  private static func checkAnswers(_ events: [TurnEvent], stops: [String]) throws(Violation) {
    let shown = AnswerParagraphs.Shown(tools: true)
    let renderer = ChatRenderer(objects, stops: stops, shown: shown)
    let whole = ChatWholeAnswer(objects, stops: stops, shown: shown)
    var (streamed, gathered) = (AnswerState(), AnswerState())
    var buffer = ByteBuffer()
    for event in events {
      streamed.stream(event, renderer, &buffer)
      gathered.gather(event, into: whole)
    }
    renderer.appendEnd(streamed.ending, usage: streamed.usage, to: &buffer)
    try require(!(streamed.usage ?? TokenUsage()).completionUsage.jsonBytes.isEmpty, "usage without a number")
    let (content, reasoning) = try texts(of: buffer.take())
    // What a retry takes back cannot be taken back from a stream, which ends with an error instead.
    guard !events.contains(.answerRetracted) else { return }
    try require(content == whole.content, "streamed “\(content)”, gathered “\(whole.content)”")
    if stops.isEmpty { try require(reasoning == whole.reasoning, "other words beside the answer") }
  }

  /// The joined texts of a stream's chunks.
  private static func texts(of stream: [UInt8]) throws(Violation) -> (content: String, reasoning: String) {
    var content = ""
    var reasoning = ""
    for line in stream.split(separator: 0x0A) {
      try require(line.starts(with: EventStream.dataPrefix.utf8), "a line that is no event")
      if line.elementsEqual("\(EventStream.dataPrefix)[DONE]".utf8) { continue }
      guard case .success(let chunk) = general(Array(line.dropFirst(EventStream.dataPrefix.utf8.count))) else {
        throw Violation(description: "an event that is no JSON")
      }
      let delta = chunk["choices"]?.arrayValue?.first?["delta"]
      content += delta?["content"]?.stringValue ?? ""
      reasoning += delta?["reasoning_content"]?.stringValue ?? ""
    }
    return (content, reasoning)
  }
}
