// Paths and methods to handlers.

import Testing

@testable import Bridge

struct RouterTests {
  private static let nothing: Route.Handler = { _, _, _ in nil }
  private let router = Router([
    Route("/", isPublic: true, ["GET": nothing]),
    Route("/chat/completions", ["POST": nothing]),
    Route("/models", ["GET": nothing]),
    Route("/models/*", ["GET": nothing]),
    Route("/sessions/*", ["GET": nothing, "DELETE": nothing]),
  ])

  /// The template and captures of a match, "405 …" or "404".
  private func match(_ method: String, _ path: String) -> String {
    switch router.match(method: method, path: path) {
    case .found(let route, _, let captures, let profile):
      describe(route, captures, profile)
    case .wrongMethod(let allowed): "405 " + allowed.joined(separator: " ")
    case .unknownPath: "404"
    }
  }

  private func describe(_ route: Route, _ captures: [String], _ profile: ProfileKind?) -> String {
    let path = "/" + route.template.map { $0 ?? "*" }.joined(separator: "/")
    return (profile.map { "\($0.rawValue): " } ?? "") + path + captures.map { " [\($0)]" }.joined()
  }

  @Test(arguments: [
    "/v1/models", "/models", "/v1/models/", "/models/", "//v1/models", "/v1//models", "//models//",
    "///v1///models///",
    "/v1/mod%65ls", "/%76%31/models",
  ])
  func forgivesBaseURLs(_ path: String) { #expect(match("GET", path) == "/models") }

  /// What the OpenAI clients make of a base URL that ends with a profile and `/v1`.
  @Test(arguments: [
    ("/chat/v1/models", "chat"), ("/agent/v1/models", "agent"), ("//chat//v1//models/", "chat"),
    ("/ch%61t/v1/models", "chat"),
  ])
  func knowsTheProfilesOfBaseURLs(_ path: String, _ profile: String) {
    #expect(match("GET", path) == "\(profile): /models")
    let under = path.replacing("models", with: "sessions/x")
    #expect(match("DELETE", under) == "\(profile): /sessions/* [x]")
    #expect(match("POST", path) == "405 GET HEAD OPTIONS")
  }

  @Test(arguments: [
    "/chat/models", "/agent/models", "/chat/v2/models", "/v1/chat/v1/models", "/Chat/v1/models",
    "/chat/v1/v1/models",
    "/other/v1/models", "/chat/agent/v1/models",
  ])
  func theProfileOfABaseURLNeedsItsVersion(_ path: String) { #expect(match("GET", path) == "404") }

  @Test func theChatRouteIsNoProfile() {
    #expect(match("POST", "/chat/completions") == "/chat/completions")
    #expect(match("POST", "/chat/v1/chat/completions") == "chat: /chat/completions")
    #expect(match("GET", "/chat/v1") == "chat: /")
  }

  @Test(arguments: ["/", "//", "/v1", "/v1/", "//v1//"])
  func answersTheRoot(_ path: String) { #expect(match("GET", path) == "/") }

  @Test(arguments: [
    "/v2/models", "/v1/v1/models", "/V1/models", "/Models", "/models/a/b", "/v1/chat", "/v1/chat/completions/x",
    "/v1/../models", "/./models", "/models%2Fgpt", "/models/%", "/models/%4", "/models/%zz", "/models/%ff", "/*",
  ])
  func knowsNothingElse(_ path: String) { #expect(match("GET", path) == "404") }

  @Test(arguments: [
    ("/v1/models/gpt-5:high", "gpt-5:high"), ("/models/gpt-5%3Ahigh/", "gpt-5:high"), ("/models/a%2Fb", "a/b"),
    ("/models/a%20b+c", "a b+c"), ("/models/%C3%A9", "é"), ("/models/%25", "%"), ("/models/..", ".."),
    ("/models/v1", "v1"),
  ])
  func capturesDecodedSegments(_ path: String, _ id: String) {
    #expect(match("GET", path) == "/models/* [\(id)]")
  }

  @Test func answersHeadWhereverGet() {
    #expect(match("HEAD", "/v1/models") == "/models")
    #expect(match("HEAD", "/") == "/")
    #expect(match("HEAD", "/v1/chat/completions") == "405 OPTIONS POST")
  }

  @Test(arguments: [
    ("POST", "/v1/models", "405 GET HEAD OPTIONS"), ("GET", "/v1/chat/completions", "405 OPTIONS POST"),
    ("PUT", "/v1/sessions/x", "405 DELETE GET HEAD OPTIONS"),
    ("get", "/v1/models", "405 GET HEAD OPTIONS"),
    ("OPTIONS", "/v1/models", "405 GET HEAD OPTIONS"),
  ])
  func namesTheMethodsAllowed(_ method: String, _ path: String, _ answer: String) {
    #expect(match(method, path) == answer)
  }

  @Test(arguments: [
    ("abc", "abc"), ("%41", "A"), ("%e2%82%ac", "€"), ("%E2%82%AC", "€"), ("+", "+"), ("%2B", "+"), ("", ""),
    ("%00", "\0"),
  ])
  func decodesEscapes(_ text: String, _ decoded: String) {
    #expect(Router.percentDecoded(text[...]) == decoded)
  }

  @Test(arguments: ["%", "%4", "%g1", "%1g", "a%", "%%41", "%-1", "% 1", "%ff", "%C3", "%ED%A0%80", "%u0041"])
  func refusesBadEscapes(_ text: String) { #expect(Router.percentDecoded(text[...]) == nil) }
}
