// Every request passes here on its way to a handler: its host and its key are checked, its route and its profile are found,
// its end is logged.

/// Dispatches requests.
@LoopActor
final class Gateway {
  private let router: Router
  /// Counts the answers to requests that have no route.
  private let otherPaths = AnswerCounts(of: "other")
  /// Counts the answers to requests whose `Host` was refused.
  private let refusedHosts = AnswerCounts(of: "refused")
  /// The host that was admitted last. The next request mostly has the same one, and is admitted without a look-up.
  private var admittedHost: String?
  private let authenticator: Authenticator
  private let origins: OriginPolicy
  private let profiles: ProfileChoice
  private let logsRequests: Bool
  private let metrics: Metrics
  /// Whether `/metrics` needs no key from the machine itself.
  private let opensMetrics: Bool

  /// `listening` are the hosts that the bridge listens on. Clients may use their names as `Host`.
  init(
    routes: [Route],
    authenticator: Authenticator,
    metrics: Metrics,
    configuration: Configuration,
    listening: [String]
  ) {
    self.metrics = metrics
    opensMetrics = configuration[Settings.metricsOnLoopback]
    self.authenticator = authenticator
    origins = OriginPolicy(
      configured: configuration[Settings.allowedHosts],
      listening: listening,
      published: configuration[Settings.publicURL].flatMap(WebAddress.init)?.authority,
      origins: configuration[Settings.corsOrigins]
    )
    profiles = ProfileChoice(standard: configuration[Settings.profile])
    logsRequests = configuration[Settings.logRequests]
    router = Router(routes)
    metrics.requests = router.routes.map(\.answers) + [otherPaths, refusedHosts]
  }

  /// Answers one request: at once, or by the work that is returned. The route is found and the key is checked before any of
  /// the body is read.
  func handle(_ request: Request, _ writer: ResponseWriter) -> Connection.Work? {
    guard admitsHost(request.head.host) else {
      request.counts = refusedHosts
      writer.send(APIError.hostRefused(request.head.host ?? "").response)
      return nil
    }
    if origins.admitsPages { writer.extraFields = origins.fields(origin: request.head.fields["origin"]) }
    switch router.match(method: request.head.method, path: request.head.path) {
    case .found(let route, let handler, let captures, let profile):
      request.counts = route.answers
      do throws(APIError) {
        try admit(request, to: route)
        request.profile = try profiles.choice(of: request.head.fields, baseURL: profile)
      } catch {
        writer.send(error.response)
        return nil
      }
      return handler(request, captures, writer)
    case .wrongMethod(let allowed):
      if request.head.method == "OPTIONS" {
        writer.extraFields = [:]
        writer.send(origins.preflight(request.head.fields, allowed: allowed))
      } else {
        var response = APIError.wrongMethod(request.head).response
        response.fields.append("Allow", allowed.joined(separator: ", "))
        writer.send(response)
      }
    case .unknownPath where request.head.method == "OPTIONS" && request.head.path == "*":
      // RFC 9110 §9.3.7: `OPTIONS *` asks about the server as a whole.
      writer.extraFields = [:]
      writer.send(origins.preflight(request.head.fields, allowed: ["DELETE", "GET", "HEAD", "OPTIONS", "POST"]))
    case .unknownPath:
      let advice = PathAdvice.advice(for: request.head.path)
      writer.send(APIError.unknownPath(request.head, advice: advice).response)
    }
    return nil
  }

  /// All of them, for those who describe them.
  var routes: [Route] { router.routes }

  /// Counts and logs a request that was answered, or whose client has left.
  func ended(_ request: Request, _ writer: ResponseWriter) {
    if let status = writer.status { (request.counts ?? otherPaths).add(status) }
    guard logsRequests else { return }
    let duration = Loop.now - request.receivedAt
    let answered: (any CustomStringConvertible)? = request.isClientGone ? "client left" : writer.status
    let status = answered ?? "none"
    Log.info(
      "request",
      [
        "request": request.id, "method": request.head.method, "path": request.head.path,
        "status": status,
        "ms": duration.wholeMilliseconds,
        "peer": request.peer?.description ?? "",
      ])
  }

  private func admitsHost(_ host: String?) -> Bool {
    if host == admittedHost { return true }
    guard origins.admitsHost(host) else { return false }
    admittedHost = host
    return true
  }

  /// Notes whose key a request carries; throws if its route needs one and it has none of the bridge's.
  private func admit(_ request: Request, to route: Route) throws(APIError) {
    if route.isPublic { return }
    if let principal = authenticator.identify(request.head.fields) {
      request.principal = principal
    } else if !(opensMetrics && route.path == Self.metricsPath && request.peer?.isLoopback == true) {
      throw .wrongKey(isMissing: Authenticator.presentedKey(request.head.fields) == nil)
    }
  }

  static let metricsPath = "/metrics"

}
