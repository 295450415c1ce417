// What names a conversation, and what only looks as if it did.

import Testing

@testable import Bridge

struct SessionIDTests {
  @Test(arguments: [
    "{{CHAT_ID}}", "{{ chat.id }}", "${id}", "${env:CHAT}", "{chat_id}", "{chat-id}", "undefined", "null", "None",
    "nil",
    "[object Object]", "NaN", "<id>", "<chat id>", "%CHAT_ID%", "$CHAT_ID", "#{id}", "{% id %}", " undefined ",
    "<no value>",
    "chat-{{CHAT_ID}}", "user/${id}/chat", "NULL", "(null)",
  ])
  func anUnfilledTemplateIsNoID(_ value: String) {
    #expect(SessionID.isUnfilled(value))
  }

  @Test(arguments: [
    "", "a", "chat-1", "Nan", "none", "undefined-1", "my null", "{}", "{{", "${", "$", "$5", "%", "%%", "<>",
    "a<b>c",
    #"{"id":1}"#, "{1}", "object", "100%", "null@example.org", "Undefined", "日本語", "{日本語}",
  ])
  func anythingElseIs(_ value: String) {
    #expect(!SessionID.isUnfilled(value))
  }

  @Test func aStepOfAPathIsNoID() throws {
    for id in [".", ".."] {
      #expect(throws: APIError.self) { try SessionID.checked(id, field: "session_id") }
    }
    for id in ["...", "a..", ".a"] { #expect(try SessionID.checked(id, field: "session_id") == id) }
  }

  @Test func chatsThatAreNotKeptAreOneOff() {
    #expect(SessionID.isOneOff("temporary:socket"))
    #expect(SessionID.isOneOff("local:chat"))
    #expect(!SessionID.isOneOff("temporary"))
    #expect(!SessionID.isOneOff("my-local:chat"))
  }
}
