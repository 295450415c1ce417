// The parameters of a request's query.

extension RequestHead {
  /// Names and values, percent-decoded; of a name that comes twice, the last value. What is malformed is left out.
  var parameters: [String: String] {
    var result: [String: String] = [:]
    for pair in (query ?? "").split(separator: "&") {
      let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      guard parts.count == 2, let name = Router.percentDecoded(parts[0]),
        let value = Router.percentDecoded(parts[1])
      else { continue }
      result[name] = value
    }
    return result
  }
}

extension ItemPage {
  /// The page that a query asks for: `limit` (1 to 100, default 20), `order` (`asc` or `desc`), and `after`, the id of an item.
  init(_ parameters: [String: String]) throws(APIError) {
    self.init()
    if let text = parameters["limit"] {
      guard let limit = Int(text), (1...Self.maxLimit).contains(limit) else {
        throw .invalid("'limit' must be a number from 1 to \(Self.maxLimit).", param: "limit")
      }
      self.limit = limit
    }
    switch parameters["order"] {
    case nil, "desc": isAscending = false
    case "asc": isAscending = true
    default: throw .invalid("'order' must be 'asc' or 'desc'.", param: "order")
    }
    after = parameters["after"]
  }
}

extension ItemList {
  /// The list as an object (OpenAI API reference).
  var response: Response {
    var body = ByteBuffer()
    body.append(fixed: #"{"object":"list","data":["#)
    for (index, item) in items.enumerated() {
      if index > 0 { body.append(fixed: ",") }
      body.append(item.object)
    }
    body.append(fixed: #"],"first_id":"#)
    body.append(json: .text(items.first?.id))
    body.append(fixed: #","last_id":"#)
    body.append(json: .text(items.last?.id))
    body.append(hasMore ? #","has_more":true}"# : #","has_more":false}"#)
    return .json(body.take())
  }
}
