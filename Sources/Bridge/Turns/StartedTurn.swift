// What is known of a turn that has just been started.

extension TurnStarter {
  /// A turn that the engine has accepted.
  struct Started {
    let turn: Turn
    /// What the answer calls the model.
    let modelName: String
    /// Why the model may not exist, to be told if the turn is refused.
    let modelDoubt: String?
    /// The field whose effort the model does not have, when its lowest was taken instead.
    let ignoredField: String?
    let restarted: SessionRestart?
    let state: SessionState
    let origin: TurnOrigin
    /// Where its answer is to be noted; nil for a turn of no session.
    let noted: NotedTurn?

    init(
      _ turn: Turn, _ selection: ModelSelection, _ ask: Ask, tools: ToolSet, resuming open: OpenTurn? = nil,
      state: SessionState, restarted: SessionRestart? = nil, noted: NotedTurn? = nil
    ) {
      self.noted = noted
      self.turn = turn
      let said = ask.said.count - (turn.hasInput ? 1 : 0)
      origin = TurnOrigin(
        model: ask.model, shownModel: selection.shownName, tools: tools, format: ask.conversation.format,
        instructions: ask.conversation.instructions.map(SessionPrompt.checksum),
        // What was put into a thread that stays is no part of the turn's own items.
        saidBefore: turn.isOneOff ? open?.saidBefore ?? said : said, resumedFrom: open?.turnID)
      modelName = selection.shownName
      modelDoubt = selection.doubt
      ignoredField = selection.ignoredField
      self.restarted = restarted
      self.state = restarted == nil ? state : .restarted
    }
  }
}
