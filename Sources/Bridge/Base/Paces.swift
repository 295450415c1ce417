// Waits and bounds that no user has a reason to change, each with its reason, and the one variable by which a test of the
// whole program changes them. To add one: a property with its default, and a row in `readers`.

/// How long the bridge waits for things, and how much it holds, where that is no setting.
struct Paces: Sendable, Equatable {
  /// The longest silence of a streamed answer; then a comment line is sent. Raised, proxies that drop silent connections
  /// cut off answers of a model that thinks; lowered, every waiting stream costs more writes.
  var keepAlive = Duration.seconds(15)
  /// How long a request waits for a Codex that is starting, before it gets 503. Raised, clients learn later that Codex does
  /// not start; lowered, requests fail that could be served a moment later.
  var startWait = Duration.seconds(5)
  /// How often a streaming request that waits for its turn is told its place. The first notice begins the answer with
  /// status 200. Raised, people see nothing for longer; lowered, more failures come as error events instead of a status.
  var queueNotice = Duration.seconds(5)
  /// The longest the download of an image may take, redirects included. Raised, a slow server keeps the place of other
  /// downloads for longer; lowered, large images fail over a slow network.
  var imageTimeout = Duration.seconds(15)
  /// Memory for the bodies and images of all requests that wait or are being started; more get 503. Raised, a burst of
  /// large requests may take the memory of the machine; lowered, fewer requests with images can be started at once.
  var contentBytes = 512 << 20
  /// Threads of each kind in use that are started ahead in each Codex process, at most. Raised, each one that is not used
  /// holds 0.9 MB there; lowered, more new conversations wait for their thread to be started.
  var warmThreads = 8
}

// MARK: For tests

extension Paces {
  /// Environment variable that changes them, for tests alone: `keep-alive=1s,start-wait=0`. Not a setting: no file is
  /// searched for it, and no document for users names it.
  static let variable = "BRIDGED_TEST_PACES"

  /// Puts the value that a text stands for in its place; false if it stands for none.
  private typealias Reader = @Sendable (inout Paces, String) -> Bool

  private static let readers: [String: Reader] = [
    "keep-alive": reader(\.keepAlive, .duration),
    "start-wait": reader(\.startWait, .durationOrZero),
    "queue-notice": reader(\.queueNotice, .duration),
    "image-timeout": reader(\.imageTimeout, .duration),
    "content-limit": reader(\.contentBytes, .byteSize),
    "warm-threads": reader(\.warmThreads, .number(0...64)),
  ]

  private static func reader<Value>(
    _ place: any WritableKeyPath<Paces, Value> & Sendable, _ syntax: SettingSyntax<Value>
  ) -> Reader {
    { paces, text in
      guard let value = syntax.parse(text) else { return false }
      paces[keyPath: place] = value
      return true
    }
  }

  /// The defaults, but for those that `text` names: `name=value`, separated by commas. Throws for a name that does not
  /// exist and for a value that cannot be read, so that no test passes because of a spelling.
  static func read(_ text: String) throws(ConfigurationError) -> Paces {
    var paces = Paces()
    for pair in text.split(separator: ",") {
      let parts = pair.split(separator: "=", maxSplits: 1).map { $0.trimmingSpaces() }
      guard parts.count == 2, readers[parts[0]]?(&paces, parts[1]) == true else {
        let names = readers.keys.sorted().joined(separator: ", ")
        throw ConfigurationError(
          description: "\(variable): “\(String(pair).printable)” is not name=value with one of the names \(names)")
      }
    }
    return paces
  }
}
