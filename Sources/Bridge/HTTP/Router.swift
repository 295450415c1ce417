// Method and path to handler. Forgives what people mistype in a base URL, never by redirecting.

/// A path template and the handlers of its methods. One object, which each request has looked up for it.
final class Route: Sendable {
  /// Answers a request at once, or returns the work that does. An answer at once needs no task, which can cost more than the
  /// answer.
  typealias Handler = @Sendable @LoopActor (Request, [String], ResponseWriter) -> Connection.Work?

  /// The template as written, for example `/models/*`.
  let path: String
  /// Segments; `nil` matches any one segment and captures it.
  let template: [String?]
  /// Few enough that looking at each is quicker than hashing.
  let handlers: [(method: String, handler: Handler)]
  /// Whether it is answered without a key.
  let isPublic: Bool
  let answers: AnswerCounts

  /// `path` is written with `*` for captured segments: `/models/*`.
  init(_ path: String, isPublic: Bool = false, _ handlers: KeyValuePairs<String, Handler>) {
    self.path = path
    template = path.split(separator: "/").map { $0 == "*" ? nil : String($0) }
    self.handlers = handlers.map { (method: $0.key, handler: $0.value) }
    self.isPublic = isPublic
    answers = AnswerCounts(of: path)
  }
}

/// Finds the route of a request.
struct Router: Sendable {
  enum Match {
    /// `profile` is the one that the base URL names, if it names any.
    case found(Route, Route.Handler, captures: [String], profile: ProfileKind?)
    case wrongMethod(allowed: [String])
    case unknownPath
  }

  let routes: [Route]
  /// Routes without captures by the paths that clients mostly write, and these by their length: a few at most have the
  /// same, so that looking at each is quicker than hashing.
  private let plainRoutes: [[(path: String, profile: ProfileKind?, route: Route)]]

  init(_ routes: [Route]) {
    self.routes = routes
    let bases = [("", nil), ("/v1", nil)] + ProfileKind.allCases.map { ("/\($0.rawValue)/v1", $0) }
    let plain = routes.filter { !$0.template.contains(nil) }.flatMap { route in
      bases.map { base, profile in (path: base + route.path, profile: profile, route: route) }
    }
    let longest = plain.map(\.path.utf8.count).max() ?? 0
    plainRoutes = (0...longest).map { length in plain.filter { $0.path.utf8.count == length } }
  }

  /// Paths match with and without `/v1`, below the name of a profile and `/v1`, with doubled and trailing slashes.
  func match(method: String, path: String) -> Match {
    if let (route, profile) = plainRoute(path) { return Self.match(method, route, captures: [], profile) }
    guard var segments = Self.segments(path) else { return .unknownPath }
    let profile = Self.removeBase(from: &segments)
    guard let route = routes.first(where: { Self.fits(segments, $0.template) }) else { return .unknownPath }
    let captures = zip(segments, route.template).filter { $1 == nil }.map(\.0)
    return Self.match(method, route, captures: captures, profile)
  }

  /// Removes what a base URL may end with: `v1`, or a profile and `v1`. Returns the profile.
  static func removeBase(from segments: inout [String]) -> ProfileKind? {
    if segments.count > 1, segments[1] == "v1", let profile = ProfileKind(rawValue: segments[0]) {
      segments.removeFirst(2)
      return profile
    }
    if segments.first == "v1" { segments.removeFirst() }
    return nil
  }

  private func plainRoute(_ path: String) -> (Route, ProfileKind?)? {
    let length = path.utf8.count
    guard length < plainRoutes.count else { return nil }
    for index in plainRoutes[length].indices where plainRoutes[length][index].path == path {
      return (plainRoutes[length][index].route, plainRoutes[length][index].profile)
    }
    return nil
  }

  private static func match(
    _ method: String, _ route: consuming Route, captures: [String], _ profile: ProfileKind?
  ) -> Match {
    // HEAD is GET without a body (RFC 9110 §9.3.2).
    let index = route.handlers.firstIndex { $0.method == method || $0.method == "GET" && method == "HEAD" }
    guard let index else {
      let allowed = route.handlers.flatMap { $0.method == "GET" ? ["GET", "HEAD"] : [$0.method] }
      return .wrongMethod(allowed: (allowed + ["OPTIONS"]).sorted())
    }
    return .found(route, route.handlers[index].handler, captures: captures, profile: profile)
  }

  private static func fits(_ segments: [String], _ template: [String?]) -> Bool {
    segments.count == template.count && zip(segments, template).allSatisfy { $1 == nil || $0 == $1 }
  }

  /// The decoded segments of a path; nil when an escape is malformed.
  static func segments(_ path: String) -> [String]? {
    var result: [String] = []
    for segment in path.utf8.split(separator: UInt8(ascii: "/")) {
      guard let decoded = percentDecoded(Substring(segment)) else { return nil }
      result.append(decoded)
    }
    return result
  }

  /// RFC 3986 §2.1; nil for a cut escape or a result that is not UTF-8.
  static func percentDecoded(_ text: Substring) -> String? {
    guard text.utf8.contains(UInt8(ascii: "%")) else { return String(text) }
    var bytes: [UInt8] = []
    var rest = text.utf8[...]
    while let byte = rest.popFirst() {
      guard byte == UInt8(ascii: "%") else {
        bytes.append(byte)
        continue
      }
      guard let high = rest.popFirst()?.hexValue, let low = rest.popFirst()?.hexValue else {
        return nil
      }
      bytes.append(high << 4 | low)
    }
    return String(validating: bytes, as: UTF8.self)
  }
}
