// The running bridge as a command asks it: its address and key out of the same settings, and its errors as sentences.

/// Asks the bridge that the settings describe. Blocking.
package struct BridgeClient {
  /// Its base URL.
  let url: String
  private let host: String
  private let port: Int
  private let key: String
  /// Where the key came from.
  private let keyOrigin: Configuration.Origin

  /// The bridge that the settings describe. Throws for settings that lead to no address, and where no bridge answers.
  static func connect(_ configuration: Configuration) throws(CommandFailure) -> BridgeClient {
    let client = try BridgeClient(configuration)
    try client.requireBridge()
    return client
  }

  /// Whether a bridge answers where the settings say. Blocking.
  package static func answers(_ configuration: Configuration) -> Bool { (try? connect(configuration)) != nil }

  init(_ configuration: Configuration) throws(CommandFailure) {
    host = Self.reachable(configuration[Settings.host].first ?? "127.0.0.1")
    port = configuration[Settings.port]
    guard port > 0 else {
      throw CommandFailure(
        .failed, "\(Settings.port.name) is 0, so that the system chose the port of the bridge; name it with --port"
      )
    }
    guard let key = configuration[Settings.apiKeys].first, key.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7F }) else {
      throw CommandFailure(.keyRefused, "\(Settings.apiKeys.name) has no key that can be sent")
    }
    self.key = key
    keyOrigin = configuration.origin(of: Settings.apiKeys)
    url = "http://\(Self.authority(host, port))"
  }

  /// A host that leads to a bridge on this machine that listens on `host`, which may stand for every address.
  static func reachable(_ host: String) -> String {
    let name = host.hasPrefix("[") && host.hasSuffix("]") ? String(host.dropFirst().dropLast()) : host
    return ["0.0.0.0", "::"].contains(name) ? "127.0.0.1" : name
  }

  private static func authority(_ host: String, _ port: Int) -> String {
    host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
  }

  /// A path of `segments`, each of which may hold anything, and a query. Parameters that are nil are left out.
  static func target(_ segments: [String], _ query: KeyValuePairs<String, String?> = [:]) -> String {
    let path = segments.map { "/" + escaped($0) }.joined()
    let parameters = query.compactMap { name, value in value.map { "\(name)=\(escaped($0))" } }
      .joined(separator: "&")
    return parameters.isEmpty ? path : "\(path)?\(parameters)"
  }

  /// RFC 3986 §2.1: everything escaped but letters, digits, `-`, `_` and `~`. A dot is escaped too, since `..` has a meaning.
  private static func escaped(_ text: String) -> String {
    text.utf8.map { byte in
      let isPlain = byte.isDigit || byte.lowercased &- 0x61 < 26 || "-_~".utf8.contains(byte)
      return isPlain ? String(UnicodeScalar(byte)) : "%" + (byte < 16 ? "0" : "") + String(byte, radix: 16)
    }.joined()
  }

  func get(_ target: String) throws(CommandFailure) -> JSONValue { try send("GET", target).value }

  /// The answer with the size of its body.
  func measuredGet(_ target: String) throws(CommandFailure) -> (value: JSONValue, bytes: Int) {
    try send("GET", target)
  }

  func delete(_ target: String) throws(CommandFailure) -> JSONValue { try send("DELETE", target).value }

  /// The entries of a list that was answered.
  func entries(of answer: JSONValue) throws(CommandFailure) -> [JSONValue] {
    guard let entries = answer["data"]?.arrayValue else { throw noBridge("no list") }
    return entries
  }

  /// Throws unless what answers says that it is a bridge. It is asked without the key, which is nothing for whatever else may
  /// listen there.
  private func requireBridge() throws(CommandFailure) {
    let answer = try exchange("GET", "/", key: nil)
    guard (try? JSONValue(parsing: answer.body))?["service"] == "CodexBridge" else {
      throw noBridge("status \(answer.status)")
    }
  }

  func noBridge(_ sign: String) -> CommandFailure {
    CommandFailure(.notRunning, "what answers at \(url) is no bridge (\(sign))")
  }

  private func send(_ method: String, _ target: String) throws(CommandFailure) -> (value: JSONValue, bytes: Int) {
    let answer = try exchange(method, target, key: key)
    guard let value = try? JSONValue(parsing: answer.body), value.objectValue != nil else {
      throw noBridge("status \(answer.status)")
    }
    guard answer.status == 200 else { throw failure(answer.status, value) }
    return (value, answer.body.count)
  }

  private func exchange(_ method: String, _ target: String, key: String?) throws(CommandFailure) -> HTTPAnswer {
    do throws(ExchangeFailure) {
      return try HTTPExchange.run(request(method, target, key: key), to: try addresses())
    } catch {
      throw failure(error)
    }
  }

  /// HTTP/1.0: the server closes behind its answer, and sends no chunks.
  private func request(_ method: String, _ target: String, key: String?) -> [UInt8] {
    Array(
      """
      \(method) \(target) HTTP/1.0\r
      Host: \(Self.authority(host, port))\r
      \(key.map { "Authorization: Bearer \($0)\r\n" } ?? "")User-Agent: bridged/\(BridgeVersion.text)\r
      Connection: close\r
      \r

      """.utf8)
  }

  private func addresses() throws(ExchangeFailure) -> [SocketAddress] {
    do throws(LoopError) {
      return try ListenAddress.resolve([host], port: port).map(\.address)
    } catch {
      throw .unreachable(error.description)
    }
  }

  // MARK: Failures

  private func failure(_ failure: ExchangeFailure) -> CommandFailure {
    switch failure {
    case .unreachable(let reason):
      CommandFailure(
        .notRunning,
        "no bridge answers at \(url): \(reason). Start one with `bridged`, or say where it is by --host and --port "
          + "(\(Settings.host.name), \(Settings.port.name))")
    case .timedOut, .tooLong, .malformed: CommandFailure(.notRunning, "\(url): \(failure)")
    }
  }

  private func failure(_ status: Int, _ body: JSONValue) -> CommandFailure {
    let message = body["error"]?["message"]?.stringValue ?? "status \(status)"
    switch (status, body["error"]?["code"]?.stringValue) {
    case (401, _): return keyRefusal
    case (404, "session_not_found"): return CommandFailure(.notFound, message)
    case (503, _): return CommandFailure(.notReady, message)
    default: return CommandFailure(.failed, "\(url): \(message)")
    }
  }

  private var keyRefusal: CommandFailure {
    let advice =
      switch keyOrigin {
      case .fallback:
        "it has a key of its own, and \(Settings.apiKeys.name) is not set here. The keys of a service stand in "
          + "/etc/bridged/bridged.env, which root may read"
      default: "\(Settings.apiKeys.name) (from \(keyOrigin)) is not one of its keys"
      }
    return CommandFailure(.keyRefused, "the bridge at \(url) refuses the key: \(advice)")
  }
}
