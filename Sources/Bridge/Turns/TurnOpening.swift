// What is asked and where it belongs, while its turn is being started.

/// What is asked, ready for a turn.
final class TurnOpening {
  private(set) var illustrated: IllustratedAsk
  let names: SessionNaming.Names
  var place: ConversationPlace
  let readers: AnswerReaders
  /// Whether the running turn could not be told what is asked, although that was wanted.
  var ignoresSteering = false

  init(
    _ illustrated: IllustratedAsk, _ names: SessionNaming.Names, _ place: ConversationPlace,
    _ readers: AnswerReaders
  ) {
    self.illustrated = illustrated
    self.names = names
    self.place = place
    self.readers = readers
  }

  var ask: Ask { illustrated.ask }

  /// Has these items asked alone, whose images have been looked at.
  func ask(only items: [Conversation.Item]) {
    var ask = ask
    ask.conversation.items = items
    illustrated = IllustratedAsk(ask, largestImage: illustrated.largestImage)
  }
  /// A new id for the answer.
  @LoopActor var answerID: String {
    readers.first.dialect.ownID ?? RandomID.make(readers.first.dialect.idPrefix)
  }

  /// Fields of the answer that are known before the turn starts; `field` has no effect either.
  func fields(besides field: String? = nil) -> ResponseFields {
    var fields: ResponseFields = [:]
    var ignored = illustrated.ask.ignored
    if let field { ignored.append(field) }
    if ignoresSteering { ignored.append(Request.steerField) }
    for name in names.unfilled where !ignored.contains(name) { ignored.append(name) }
    if !ignored.isEmpty { fields.append("x-bridge-ignored", ignored.joined(separator: ", ")) }
    if let name = place.session?.name { fields.append("x-bridge-session", name) }
    if let source = place.source { fields.append("x-bridge-session-source", source) }
    return fields
  }
}
