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
    case found(Route, Route.Handler, captures: [String])
    case wrongMethod(allowed: [String])
    case unknownPath
  }

  let routes: [Route]
  /// Routes without captures by the paths that clients mostly write, and these by their length: a few at most have the
  /// same, so that looking at each is quicker than hashing.
  private let plainRoutes: [[(path: String, route: Route)]]

  init(_ routes: [Route]) {
    self.routes = routes
    let plain = routes.filter { !$0.template.contains(nil) }.flatMap { [($0.path, $0), ("/v1" + $0.path, $0)] }
    let longest = plain.map(\.0.utf8.count).max() ?? 0
    plainRoutes = (0...longest).map { length in plain.filter { $0.0.utf8.count == length } }
  }

  /// Paths match with and without `/v1`, with doubled and trailing slashes.
  func match(method: String, path: String) -> Match {
    if let route = plainRoute(path) { return Self.match(method, route, []) }
    guard var segments = Self.segments(path) else { return .unknownPath }
    if segments.first == "v1" { segments.removeFirst() }
    guard let route = routes.first(where: { Self.fits(segments, $0.template) }) else { return .unknownPath }
    return Self.match(method, route, zip(segments, route.template).filter { $1 == nil }.map(\.0))
  }

  private func plainRoute(_ path: String) -> Route? {
    let length = path.utf8.count
    guard length < plainRoutes.count else { return nil }
    for index in plainRoutes[length].indices where plainRoutes[length][index].path == path {
      return plainRoutes[length][index].route
    }
    return nil
  }

  private static func match(_ method: String, _ route: consuming Route, _ captures: [String]) -> Match {
    // HEAD is GET without a body (RFC 9110 §9.3.2).
    let index = route.handlers.firstIndex { $0.method == method || $0.method == "GET" && method == "HEAD" }
    guard let index else {
      let allowed = route.handlers.flatMap { $0.method == "GET" ? ["GET", "HEAD"] : [$0.method] }
      return .wrongMethod(allowed: (allowed + ["OPTIONS"]).sorted())
    }
    return .found(route, route.handlers[index].handler, captures: captures)
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
