// What the commands of `bridged chat` do.

extension TerminalChat {
  /// What a text on the clipboard may have, in bytes. Terminals drop a longer control sequence than 100,000 bytes, as which base64
  /// makes three bytes four.
  private static let maxCopiedBytes = 74_000

  /// What is said before the first prompt.
  func greet() async {
    output.show(await statusLine())
    let others = conversation.all.all.filter { $0.id != conversation.id }.count
    output.show(ChatStatus.greeting(conversation.current, others: others, now: unixTime()))
  }

  private func statusLine() async -> String {
    let model = await conversation.model()
    return ChatStatus.line(
      model: model.name, effort: model.effort, TurnProfile(configuration), home: configuration.environment["HOME"])
  }

  /// Does what a command says that is neither a message nor the end.
  func carryOut(_ command: ChatCommand) async {
    switch command {
    case .nothing, .exit, .message: break
    case .help: output.show(ChatCommand.helpText)
    case .unknown(let name): output.show(ChatCommand.unknownText(name))
    case .new:
      conversation.beginNew()
      output.show("A new conversation; /resume goes back.")
    case .reset:
      conversation.reset()
      output.show("A new conversation.")
    case .resume(let choice): await resume(choice)
    case .undo: undo()
    case .model(nil): output.show(await conversation.describeModels())
    case .model(let name?): await useModel(name)
    case .models: output.show(await conversation.modelLines().joined(separator: "\n"))
    case .status: output.show(await status().joined(separator: "\n"))
    case .details: output.show(display.details)
    case .copy: output.show(copy())
    }
  }

  private func useModel(_ name: String) async {
    do throws(APIError) {
      try await conversation.useModel(name)
      output.show("Using \(name.printable).")
    } catch {
      output.fail("Error (\(error.code ?? error.type)): \(error.message)")
      if let advice = ChatStatus.advice(code: error.code) { output.footnote(advice) }
    }
  }

  // MARK: Conversations

  private func resume(_ choice: String?) async {
    let list = conversation.all
    guard !list.all.isEmpty else { return output.show("There is no conversation of this directory yet.") }
    var wanted = choice
    if wanted == nil {
      output.show(list.lines(now: unixTime(), columns: output.columns).joined(separator: "\n"))
      let reply = await keyboard.reply(prompt: "Which? Number or id, Enter for none: ", takesBlank: true)
      guard case .line(let line) = reply, !line.isBlank else { return }
      wanted = line.text
    }
    switch list.choose(wanted ?? "") {
    case .one(let chosen):
      conversation.goOn(with: chosen)
      output.show("Continuing \(chosen.described(now: unixTime())).")
    case .none: output.show("No conversation has that number or id; /resume lists them.")
    case .several(let count): output.show("\(count) conversations have such an id; say more of it.")
    }
  }

  private func undo() {
    guard let words = conversation.undo() else {
      return output.show("There is nothing that can be taken back.")
    }
    output.show("Taken back: “\(words.printable)”. What it did to files stays.")
  }

  // MARK: Status

  private func status() async -> [String] {
    var lines = [await statusLine()]
    if let current = conversation.current {
      lines.append("Conversation  \(current.described(now: unixTime())), id \(current.id)")
      lines.append("Thread        \(current.record.thread.raw.printable)")
    } else {
      lines.append("Conversation  new, nothing said yet")
    }
    let cached = usage.cachedInput > 0 ? " (\(Amount.count(usage.cachedInput)) cached)" : ""
    lines.append(
      "Tokens        \(Amount.count(usage.input)) in\(cached), \(Amount.count(usage.output)) out since the start")
    let status = engine.status
    if let plan = status.account?.plan { lines.append("Plan          \(plan.printable)") }
    for limit in status.account?.limits ?? [] {
      let reset = limit.resetsAt.map { ", starts anew in \(Amount.time(.seconds(max(0, $0 - unixTime()))))" } ?? ""
      lines.append("Limit         \(limit.text) used\(reset)")
    }
    if let version = status.version { lines.append("Codex         \(version.printable)") }
    return lines
  }

  // MARK: The clipboard

  private func copy() -> String {
    // Neither control characters nor escapes: what is pasted into a shell could do something there.
    let scalars = display.lastAnswer.unicodeScalars.filter {
      $0 == "\n" || $0 == "\t" || $0.properties.generalCategory != .control
    }
    let bytes = Array(String(String.UnicodeScalarView(scalars)).utf8)
    guard !bytes.isEmpty else { return "There is no answer to copy." }
    guard bytes.count <= Self.maxCopiedBytes else {
      return "The answer has \(bytes.count) bytes; a terminal takes \(Self.maxCopiedBytes)."
    }
    return output.copy(bytes)
      ? "The last answer is on the clipboard, if the terminal allows it (OSC 52)."
      : "There is no terminal to copy with."
  }
}
