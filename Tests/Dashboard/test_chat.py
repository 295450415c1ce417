"""The page's chat in a real Chromium, on a bridge with the real Codex and its stand-in model."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from chat import Chat, png, says
from page import Page
from selenium.webdriver.common.keys import Keys

from harness import Bridge

StartBridge = Callable[..., Bridge]

# What would run or load something if any of it became markup.
HOSTILE = [
    '<img src=x onerror="window.pwned=1">',
    "<script>window.pwned=1</script>",
    '"><svg onload=window.pwned=1>',
    "[click](javascript:window.pwned=1)",
    "[click](JaVaScRiPt&colon;window.pwned=1)",
    "[click](data:text/html,<script>window.pwned=1</script>)",
    "[click](vbscript:window.pwned=1)",
    "<javascript:window.pwned=1>",
    "![x](javascript:window.pwned=1)",
    '![x](https://example.invalid/x.png" onerror="window.pwned=1)',
    '[x](https://example.invalid/" onclick="window.pwned=1)',
    '```"><img src=x onerror=window.pwned=1>\ncode\n```',
    "```js\n</code></pre><script>window.pwned=1</script>\n```",
    '| <img src=x onerror="window.pwned=1"> | b |\n|---|---|\n| <b onclick="window.pwned=1">x</b> | y |',
    '<iframe srcdoc="<script>parent.pwned=1</script>">',
    '<a href="javascript:window.pwned=1">x</a>',
    '<form action="javascript:window.pwned=1"><button>x</button></form>',
    "<style>*{display:none}</style>",
    "${alert(1)} {{constructor.constructor('window.pwned=1')()}}",
    "`<img src=x onerror=window.pwned=1>`",
    "\u202e gpj.exe \u2066",
]


@pytest.fixture(scope="module")
def shared_free(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bridge]:
    """The real Codex with the stand-in model; what it runs in its sandbox it runs without asking."""
    bridge = Bridge(tmp_path_factory.mktemp("chat")).start()
    yield bridge
    bridge.stop()


@pytest.fixture
def free(shared_free: Bridge) -> Bridge:
    shared_free.revive()
    return shared_free


@pytest.fixture
def chat(page: Page, free: Bridge) -> Chat:
    return Chat(page, free).open()


# ---- asking


def test_an_answer_streams_and_makes_a_session(chat: Chat) -> None:
    chat.send("demo: tokens=120 delay=20")
    page = chat.page
    page.wait_for(lambda: chat.answers() and "t5 " in chat.answers()[-1])
    assert "t119" not in chat.answers()[-1]
    assert page.is_shown("chat-stop")
    assert not page.is_shown("chat-send")
    chat.wait_idle()
    assert chat.answers()[-1].endswith("t119")
    assert chat.questions() == ["demo: tokens=120 delay=20"]
    assert " in all" in page.texts(".entry.answer .figures")[-1]
    known = chat.bridge.request("GET", f"/v1/sessions/{chat.id}").json
    assert (known["profile"], known["turns"]) == ("agent", 1)
    page.wait_for(
        lambda: (
            page.texts("#chat-sessions a[aria-current] .chat-session-title")
            == ["demo: tokens=120 delay=20"]
        )
    )


def test_thinking_is_folded_and_not_part_of_the_answer(chat: Chat) -> None:
    chat.ask("demo: reasoning=3 tokens=2")
    folds = chat.page.all(".fold.thinking")
    assert len(folds) == 1
    assert folds[0].get_attribute("open") is None
    folds[0].find_element("tag name", "summary").click()
    assert "thought0 thought1 thought2" in folds[0].text
    assert chat.page.texts(".entry.answer .entry-body > .md") == ["t0 t1"]


def test_enter_sends_but_not_within_a_word_of_an_input_method(chat: Chat) -> None:
    page = chat.page
    field = chat.write("one")
    page.script(
        """arguments[0].dispatchEvent(new KeyboardEvent("keydown",
        { key: "Enter", isComposing: true, bubbles: true, cancelable: true }))""",
        field,
    )
    assert chat.questions() == []
    field.send_keys(Keys.END, Keys.SHIFT, Keys.ENTER)
    field.send_keys("two")
    assert field.get_attribute("value") == "one\ntwo"
    field.send_keys(Keys.ENTER)
    page.wait_for(lambda: chat.questions() == ["one\ntwo"])
    chat.wait_idle()


def test_stop_ends_the_turn(chat: Chat) -> None:
    chat.send("demo: tokens=5000 delay=20")
    page = chat.page
    page.wait_for(lambda: chat.answers() and "t3" in chat.answers()[-1])
    page.button("Stop", "#chat-form").click()
    chat.wait_idle()
    assert "Stopped." in chat.answers()[-1]
    assert "t4999" not in chat.answers()[-1]
    page.wait_for(
        lambda: (
            not chat.bridge.request("GET", f"/v1/sessions/{chat.id}").json["running"]
        )
    )
    # The conversation goes on.
    assert chat.ask(says("still here")) == "still here"


def test_an_edit_takes_back_what_came_after(chat: Chat) -> None:
    chat.ask(says("alpha"))
    chat.ask(says("beta"))
    chat.press("Edit", ".entry.question", 1)
    field = chat.page.all(".edit-text")[0]
    assert field.get_attribute("value") == says("beta")
    field.send_keys(Keys.CONTROL, "a")
    field.send_keys("demo: history", Keys.ENTER)
    chat.page.wait_for(lambda: "demo: history" in chat.questions()[-1])
    chat.wait_idle()
    told = chat.answers()[-1]
    assert len(chat.answers()) == 2
    assert "alpha" in told
    assert "beta" not in told
    assert chat.page.texts(".chat-note") == []


def test_the_first_message_can_be_edited(chat: Chat) -> None:
    chat.ask(says("alpha"))
    chat.ask(says("beta"))
    chat.press("Edit", ".entry.question", 0)
    field = chat.page.all(".edit-text")[0]
    field.send_keys(Keys.CONTROL, "a")
    field.send_keys("demo: history", Keys.ENTER)
    chat.page.wait_for(lambda: chat.questions() == ["demo: history"])
    chat.wait_idle()
    assert "alpha" not in chat.answers()[-1]
    assert len(chat.answers()) == 1


def test_an_edit_that_is_given_up_changes_nothing(chat: Chat) -> None:
    chat.ask(says("alpha"))
    chat.press("Edit", ".entry.question")
    chat.page.all(".edit-text")[0].send_keys("more", Keys.ESCAPE)
    assert chat.questions() == [says("alpha")]
    assert chat.page.focused().accessible_name == "Edit"


def test_an_answer_is_given_again(chat: Chat) -> None:
    chat.ask(says("alpha"))
    chat.ask("demo: history")
    chat.press("Answer again", ".entry.answer")
    chat.wait_idle()
    chat.page.wait_for(lambda: chat.answers()[-1].count("demo: history") == 1)
    assert len(chat.answers()) == 2
    messages = [i for i in chat.recorded(chat.id) if i["type"] == "message"]
    assert [m["role"] for m in messages] == ["user", "assistant"] * 2


# ---- sessions


def test_a_conversation_goes_on_after_a_reload(chat: Chat) -> None:
    chat.ask(says("The number is 7."))
    chat.page.browser.refresh()
    chat.wait_idle()
    chat.page.wait_for(lambda: chat.answers() == ["The number is 7."])
    assert "The number is 7." in chat.ask("demo: history")
    assert len(chat.page.all(".entry")) == 4
    # And an earlier message of it can be edited.
    chat.press("Edit", ".entry.question", 1)
    field = chat.page.all(".edit-text")[0]
    field.send_keys(Keys.CONTROL, "a")
    field.send_keys(says("other"), Keys.ENTER)
    chat.page.wait_for(lambda: chat.answers()[-1] == "other")
    messages = [i for i in chat.recorded(chat.id) if i["type"] == "message"]
    assert len(messages) == 4


def test_commentary_is_no_part_of_the_answer_after_a_reload_either(chat: Chat) -> None:
    chat.ask('demo: commentary say="alpha"')
    chat.ask(says("beta"))
    chat.page.browser.refresh()
    chat.wait_idle()
    page = chat.page
    page.wait_for(lambda: len(chat.answers()) == 2)
    assert page.texts(".entry.answer .entry-body > .md") == ["alpha", "beta"]
    fold = page.all(".fold.thinking")[0]
    fold.find_element("tag name", "summary").click()
    assert "Let me see." in fold.text
    # So the history is the one that the bridge has given, and leads to its place.
    chat.press("Edit", ".entry.question", 1)
    field = page.all(".edit-text")[0]
    field.send_keys(Keys.CONTROL, "a")
    field.send_keys("demo: history", Keys.ENTER)
    page.wait_for(lambda: "demo: history" in chat.questions()[-1])
    chat.wait_idle()
    assert "alpha" in chat.answers()[-1]
    assert "beta" not in chat.answers()[-1]
    assert page.texts(".chat-note") == []


def test_a_session_of_another_client_goes_on(free: Bridge, page: Page) -> None:
    name = "ours/ü <b>1</b>"
    first = free.chat('demo: say="Let me see." run="echo 41"', session_id=name)
    assert first.status == 200
    chat = Chat(page, free).open(name)
    page.wait_for(lambda: chat.answers())
    assert "Let me see." in chat.answers()[0]
    summary = page.all(".fold.deeds summary")[0]
    assert "echo 41" in summary.text
    assert page.texts("#h-chat") == ['demo: say="Let me see." run="echo 41"']
    assert "Let me see." in chat.ask("demo: history")
    assert free.request("GET", "/v1/sessions?search=ours").json["data"][0]["turns"] == 2


def test_a_plain_chat_stays_one(free: Bridge, page: Page) -> None:
    body = {"session_id": "plain-1", "messages": [{"role": "user", "content": "hi"}]}
    assert free.request("POST", "/chat/v1/chat/completions", body).status == 200
    chat = Chat(page, free).open("plain-1")
    page.wait_for(lambda: page.is_shown("chat-profile"))
    chat.ask(says("more"))
    known = free.request("GET", "/v1/sessions/plain-1").json
    assert (known["profile"], known["turns"]) == ("chat", 2)


def test_calls_of_a_clients_functions_are_folded(free: Bridge, page: Page) -> None:
    tool = {"type": "function", "function": {"name": "get_weather", "parameters": {}}}
    asked = free.chat(
        'demo: call=get_weather:{"city":"Rome"}', session_id="tools-1", tools=[tool]
    ).json["choices"][0]["message"]
    call = asked["tool_calls"][0]
    body = {
        "session_id": "tools-1",
        "tools": [tool],
        "messages": [
            {"role": "user", "content": 'demo: call=get_weather:{"city":"Rome"}'},
            asked,
            {"role": "tool", "tool_call_id": call["id"], "content": "Sunny <b>"},
        ],
    }
    assert free.request("POST", "/v1/chat/completions", body).status == 200
    Chat(page, free).open("tools-1")
    page.wait_for(lambda: page.all(".fold.deeds"))
    fold = page.all(".fold.deeds")[0]
    assert "get_weather" in fold.text
    fold.find_element("tag name", "summary").click()
    assert "Rome" in fold.text
    assert "Sunny <b>" in fold.text


def test_there_is_no_such_session(free: Bridge, page: Page) -> None:
    page.expected.append("status of 404")
    chat = Chat(page, free).open("nobody-knows-it")
    page.wait_for(lambda: "no such conversation" in page.text("view-chat"))
    page.button("New chat", ".chat-state").click()
    page.wait_for(lambda: page.script("return location.hash") == "#/chat")
    assert chat.ask(says("new")) == "new"


def test_several_conversations_at_once(chat: Chat) -> None:
    page = chat.page
    chat.send("demo: tokens=60 delay=30")
    page.wait_for(lambda: chat.answers() and "t2" in chat.answers()[-1])
    first = chat.id
    page.button("New chat", ".chat-list").click()
    page.wait_for(lambda: chat.questions() == [])
    assert chat.ask(says("second")) == "second"
    page.script("location.hash = arguments[0]", f"#/chat/{first}")
    page.wait_for(lambda: chat.answers() and "t59" in chat.answers()[-1])
    assert chat.questions() == ["demo: tokens=60 delay=30"]


def test_what_was_written_waits_for_the_return(chat: Chat) -> None:
    page = chat.page
    chat.ask(says("first"))
    first = chat.id
    chat.write("not sent yet")
    page.button("New chat", ".chat-list").click()
    assert page.id("chat-text").get_attribute("value") == ""
    page.script("location.hash = arguments[0]", f"#/chat/{first}")
    page.wait_for(lambda: chat.answers() == ["first"])
    assert page.id("chat-text").get_attribute("value") == "not sent yet"
    # From another view, the one that was open comes back.
    page.go("activity")
    page.go("chat")
    assert chat.id == first


def test_another_view_can_begin_a_conversation(free: Bridge, page: Page) -> None:
    page.open_signed_in(free, "connect")
    page.script("views.chat.begin(arguments[0])", says("from afar"))
    chat = Chat(page, free)
    page.wait_for(lambda: chat.answers() == ["from afar"])
    assert chat.questions() == [says("from afar")]
    assert chat.id


# ---- what others do in the conversation


def test_nothing_is_sent_while_a_turn_runs_elsewhere(chat: Chat) -> None:
    chat.ask(says("here"))
    page = chat.page
    with chat.bridge.open_stream(
        "demo: first=1500 tokens=3 id=there", session_id=chat.id
    ) as stream:
        page.wait_for(lambda: "running elsewhere" in page.text("chat-elsewhere"))
        chat.send("demo: history")
        assert not page.id("chat-send").is_enabled()
        assert len(chat.questions()) == 1
        stream.read_until(b"[DONE]")
    # It is shown when it has ended, and the message goes on from there.
    page.wait_for(lambda: chat.answers()[-1:] == ["there-0 there-1 there-2"])
    page.wait_for(lambda: not page.is_shown("chat-elsewhere"))
    assert chat.written() == "demo: history"
    page.wait_for(lambda: page.id("chat-send").is_enabled())
    assert "there-2" in chat.ask("demo: history")


def test_a_turn_that_was_too_short_to_be_seen_is_shown(chat: Chat) -> None:
    chat.ask(says("here"))
    assert chat.bridge.chat(says("there"), session_id=chat.id).status == 200
    chat.page.wait_for(lambda: chat.answers() == ["here", "there"])
    # So is one that has come while another view was looked at.
    name = chat.id
    chat.page.go("activity")
    assert chat.bridge.chat(says("again"), session_id=name).status == 200
    chat.page.go("chat")
    chat.page.wait_for(lambda: chat.answers() == ["here", "there", "again"])


def test_a_message_loses_no_turn_of_others(chat: Chat) -> None:
    page = chat.page
    chat.ask(says("here"))
    chat.sees_nothing_of_others()
    assert chat.bridge.chat(says("there"), session_id=chat.id).status == 200
    chat.send("demo: history")
    page.wait_for(lambda: chat.answers() == ["here", "there"])
    assert "nothing was sent" in page.text("chat-elsewhere")
    assert chat.written() == "demo: history"
    answer = chat.ask("demo: history")
    assert says("there") in answer
    assert not page.is_shown("chat-elsewhere")
    messages = [i for i in chat.recorded(chat.id) if i["type"] == "message"]
    assert len(messages) == 6


def test_an_edit_loses_no_turn_of_others(chat: Chat) -> None:
    page = chat.page
    chat.ask(says("here"))
    chat.sees_nothing_of_others()
    assert chat.bridge.chat(says("there"), session_id=chat.id).status == 200
    chat.edit(0, says("other"))
    page.wait_for(lambda: chat.answers() == ["here", "there"])
    # What was written is still there, and the second time it is meant.
    assert page.all(".edit-text")[0].get_attribute("value") == says("other")
    page.all(".edit-text")[0].send_keys(Keys.ENTER)
    page.wait_for(lambda: chat.answers() == ["other"])


def test_an_answer_given_again_loses_no_turn_of_others(chat: Chat) -> None:
    chat.ask(says("here"))
    chat.sees_nothing_of_others()
    assert chat.bridge.chat(says("there"), session_id=chat.id).status == 200
    chat.press("Answer again", ".entry.answer")
    chat.page.wait_for(lambda: chat.answers() == ["here", "there"])
    assert "nothing was sent" in chat.page.text("chat-elsewhere")
    assert chat.bridge.request("GET", f"/v1/sessions/{chat.id}").json["turns"] == 2


def test_a_turn_that_comes_in_between_is_told(chat: Chat) -> None:
    chat.ask(says("here"))
    chat.page.script(
        """const real = window.fetch;
        window.fetch = async (path, options) => {
          if (!String(path).includes("/chat/completions")) return real(path, options);
          window.fetch = real;
          const { session_id } = JSON.parse(options.body);
          const messages = [{ role: "user", content: arguments[0] }];
          const other = await real(path, { ...options, body: JSON.stringify({ session_id, messages }) });
          await other.text();
          return real(path, options);
        };""".replace("arguments[0]", repr(says("zebra")))
    )
    told = chat.ask("demo: history")
    assert "zebra" not in told
    chat.page.wait_for(
        lambda: "no longer part" in chat.page.text("chat-elsewhere"),
    )
    assert chat.page.id("chat-text").is_enabled()
    assert chat.ask(says("more")) == "more"
    assert not chat.page.is_shown("chat-elsewhere")


def test_two_tabs_show_the_same_conversation(chat: Chat) -> None:
    browser = chat.page.browser
    chat.ask(says("one"))
    first, name = browser.current_window_handle, chat.id
    browser.switch_to.new_window("tab")
    try:
        second = Chat(Page(browser), chat.bridge).open(name)
        second.page.wait_for(lambda: second.answers() == ["one"])
        second.ask(says("two"))
        browser.switch_to.window(first)
        chat.page.wait_for(lambda: chat.answers() == ["one", "two"])
        assert "two" in chat.ask("demo: history")
        # What the other one takes back goes here too.
        browser.switch_to.window(browser.window_handles[-1])
        second.page.wait_for(lambda: len(second.answers()) == 3)
        second.edit(1, says("three"))
        second.page.wait_for(lambda: second.answers() == ["one", "three"])
    finally:
        browser.switch_to.window(browser.window_handles[-1])
        browser.close()
        browser.switch_to.window(first)
    chat.page.wait_for(lambda: chat.answers() == ["one", "three"])


def test_a_conversation_that_is_forgotten_is_dropped(chat: Chat) -> None:
    page = chat.page
    page.expected.append("status of 404")
    chat.ask(says("gone"))
    page.wait_for(lambda: page.all("#chat-sessions a[aria-current]"))
    chat.write("not sent yet")
    chat.bridge.request("DELETE", f"/v1/sessions/{chat.id}")
    page.wait_for(lambda: page.script("return location.hash") == "#/chat")
    assert chat.questions() == []
    assert chat.written() == "not sent yet"
    assert "was forgotten" in page.text("toast")


def test_one_that_is_forgotten_in_another_view_does_not_come_back(chat: Chat) -> None:
    page = chat.page
    page.expected.append("status of 404")
    chat.ask(says("gone"))
    name = chat.id
    page.go("sessions")
    chat.bridge.request("DELETE", f"/v1/sessions/{name}")
    page.go("chat")
    page.wait_for(lambda: page.script("return location.hash") == "#/chat")
    assert chat.questions() == []
    # Nor does a message go to it that was sent before this was known.
    chat.ask(says("more"))
    chat.sees_nothing_of_others()
    chat.bridge.request("DELETE", f"/v1/sessions/{chat.id}")
    chat.send("kept")
    page.wait_for(lambda: page.script("return location.hash") == "#/chat")
    assert chat.written() == "kept"


# ---- what is cut short


def test_leaving_while_an_answer_comes_is_asked_about(chat: Chat) -> None:
    page = chat.page
    leave = """const event = new Event("beforeunload", { cancelable: true });
      dispatchEvent(event); return event.defaultPrevented;"""
    assert not page.script(leave)
    chat.send("demo: tokens=5000 delay=20")
    page.wait_for(lambda: chat.answers() and "t3" in chat.answers()[-1])
    assert page.script(leave)
    chat.stop()
    assert not page.script(leave)


def test_a_question_whose_answer_is_lost_is_told(chat: Chat) -> None:
    page = chat.page
    chat.send("demo: tokens=5000 delay=20")
    page.wait_for(lambda: chat.answers() and "t3" in chat.answers()[-1])
    page.browser.refresh()
    chat.wait_idle()
    page.wait_for(lambda: page.texts(".chat-note") == ["No answer was kept."])
    assert chat.questions() == ["demo: tokens=5000 delay=20"]
    # It is not asked twice with the next message.
    page.wait_for(lambda: not page.is_shown("chat-elsewhere"))
    told = chat.ask("demo: history")
    assert told.count("tokens=5000") == 1
    page.browser.refresh()
    chat.wait_idle()
    page.wait_for(lambda: len(chat.answers()) == 2 and told in chat.answers())
    assert chat.questions() == ["demo: tokens=5000 delay=20", "demo: history"]


def test_a_question_without_an_answer_is_asked_again(chat: Chat) -> None:
    page = chat.page
    chat.send("demo: first=60000")
    page.wait_for(lambda: page.is_shown("chat-stop"))
    page.wait_for(
        lambda: chat.bridge.request("GET", f"/v1/sessions/{chat.id}").status == 200
    )
    page.browser.refresh()
    chat.wait_idle()
    page.wait_for(lambda: page.texts(".chat-note") == ["No answer was kept."])
    chat.edit(0, says("here"))
    page.wait_for(lambda: chat.answers() == ["here"])
    messages = [i for i in chat.recorded(chat.id) if i["type"] == "message"]
    assert [m["role"] for m in messages] == ["user", "assistant"]
    chat.press("Answer again", ".entry.answer")
    chat.wait_idle()
    messages = [i for i in chat.recorded(chat.id) if i["type"] == "message"]
    assert [m["role"] for m in messages] == ["user", "assistant"]


def test_a_stopped_question_is_not_asked_twice(chat: Chat) -> None:
    page = chat.page
    chat.ask(says("alpha"))
    chat.send("demo: tokens=5000 delay=20")
    page.wait_for(lambda: chat.answers() and "t3" in chat.answers()[-1])
    chat.stop()
    page.browser.refresh()
    chat.wait_idle()
    page.wait_for(lambda: len(chat.questions()) == 2)
    page.wait_for(lambda: not page.is_shown("chat-elsewhere"))
    assert chat.ask("demo: history").count("tokens=5000") == 1
    questions = [
        i
        for i in chat.recorded(chat.id)
        if i["type"] == "message" and i["role"] == "user"
    ]
    assert len(questions) == 3


def test_a_draft_outlives_a_reload_and_no_sign_out(chat: Chat) -> None:
    page = chat.page
    chat.ask(says("first"))
    chat.write("half of a sentence")
    page.browser.refresh()
    chat.wait_idle()
    page.wait_for(lambda: chat.answers() == ["first"])
    assert chat.written() == "half of a sentence"
    page.id("sign-out").click()
    assert (
        page.script(
            "return Object.keys(sessionStorage).filter((name) => name.includes('draft'))"
        )
        == []
    )


def test_an_earlier_answer_goes_only_after_a_question(chat: Chat) -> None:
    page = chat.page
    for text in ("alpha", "beta", "gamma"):
        chat.ask(says(text))
    chat.press("Answer again", ".entry.answer", 0)
    page.wait_for(lambda: page.is_shown("ask"))
    assert "4 later messages" in page.text("ask-text")
    page.id("ask-no").click()
    assert chat.answers() == ["alpha", "beta", "gamma"]
    chat.press("Answer again", ".entry.answer", 1)
    page.wait_for(lambda: page.is_shown("ask"))
    page.id("ask-yes").click()
    page.wait_for(lambda: len(chat.questions()) == 2)
    chat.wait_idle()
    assert chat.answers() == ["alpha", "beta"]


def test_a_list_that_comes_after_a_sign_out_is_not_shown(chat: Chat) -> None:
    page = chat.page
    chat.ask(says("first"))
    page.script(
        """const real = window.fetch;
        window.asked = 0;
        window.fetch = (path, options) => {
          if (!String(path).includes("/v1/sessions?limit=40")) return real(path, options);
          window.asked += 1;
          window.fetch = real;
          const secret = { id: "s", profile: "agent", title: "of the other key", last_used: 1 };
          return Promise.resolve({ status: 200, ok: true,
            json: () => new Promise((resolve) => { window.release = () => resolve({ data: [secret] }); }) });
        };"""
    )
    assert chat.bridge.chat(says("there"), session_id="elsewhere").status == 200
    page.wait_for(lambda: page.script("return Boolean(window.release)"))
    page.id("sign-out").click()
    page.sign_in()
    page.wait_for(lambda: page.all("#chat-sessions a"))
    page.script("window.release()")
    assert "of the other key" not in page.texts("#chat-sessions a")
    page.script("views.chat.update(snapshot)")
    assert "of the other key" not in page.text("chat-sessions")


def test_a_long_conversation_is_built_piece_by_piece(free: Bridge, page: Page) -> None:
    for number in range(25):
        text = f"demo: tokens=1 id=n{number}"
        assert free.chat(text, session_id="long-1").status == 200
    chat = Chat(page, free).open("long-1")
    page.wait_for(lambda: chat.answers()[-1:] == ["n24-0"])
    assert len(page.all(".entry")) == 40
    page.script("arguments[0].click()", page.button("Show 10 earlier messages"))
    assert len(page.all(".entry")) == 50
    assert chat.answers()[0] == "n0-0"


# ---- approvals


def test_an_approval_is_given_in_the_conversation(demo: Bridge, page: Page) -> None:
    chat = Chat(page, demo).open()
    chat.send('demo: run="echo 4242"')
    page.wait_for(lambda: page.all(".chat-asked .decisions"))
    assert not page.is_shown("approvals"), "the same card stands on top too"
    chat.decide("Accept")
    chat.wait_idle()
    page.wait_for(lambda: not page.all(".chat-asked"))
    assert "4242" in chat.answers()[-1]
    assert "steps" in page.texts(".fold.deeds summary")[0]
    page.all(".fold.deeds summary")[0].click()
    assert "exit 0" in page.texts(".deed-state")
    command, question = page.texts(".deed-text")
    assert command == "echo 4242"
    assert question.startswith("Codex asks to run a command")
    assert "accepted" in page.texts(".deed-state")


def test_what_became_of_a_question_is_told(
    start_bridge: StartBridge, page: Page
) -> None:
    waits = {"CODEX_APPROVAL_POLICY": "untrusted", "CODEX_APPROVAL_WAIT": "4s"}
    chat = Chat(page, start_bridge(environment=waits)).open()
    chat.ask('demo: run="echo 4242"')
    page.all(".fold.deeds summary")[-1].click()
    assert "nobody answered" in page.texts(".deed-state")


def test_a_declined_question_is_told_as_declined(demo: Bridge, page: Page) -> None:
    chat = Chat(page, demo).open()
    chat.send('demo: run="echo 4242"')
    page.wait_for(lambda: page.all(".chat-asked .decisions"))
    chat.decide("Decline")
    chat.wait_idle()
    page.all(".fold.deeds summary")[-1].click()
    assert "declined" in page.texts(".deed-state")
    assert "nobody answered" not in page.texts(".deed-state")


# ---- images


def test_images_are_pasted_removed_and_sent(chat: Chat) -> None:
    page = chat.page
    for name in ("one.png", "two.png"):
        chat.paste(png(), "image/png", name)
        page.wait_for(lambda: page.all(f'#chat-images img[alt="{name}"]'))  # noqa: B023
    page.button("Remove one.png").click()
    assert len(page.all("#chat-images img")) == 1
    chat.ask(says("seen"))
    assert len(page.all(".entry-images img")) == 1
    assert not page.is_shown("chat-images")
    recorded = chat.recorded(chat.id)[0]["content"]
    assert [p["media_type"] for p in recorded if p["type"] == "image"] == ["image/png"]
    # The answer is given again with the image.
    chat.press("Answer again", ".entry.answer")
    chat.wait_idle()
    page.wait_for(lambda: chat.answers() == ["seen"])
    recorded = chat.recorded(chat.id)[0]["content"]
    assert any(part["type"] == "image" for part in recorded)
    page.browser.refresh()
    chat.wait_idle()
    page.wait_for(lambda: page.texts(".entry-image") == ["Image PNG"])
    # What was shown is not here any more, so it is not asked again without it.
    assert "Answer again" not in [
        button.accessible_name for button in page.all(".entry.answer button")
    ]


def test_images_are_dropped_and_chosen(chat: Chat, tmp_path: Path) -> None:
    page = chat.page
    chat.paste(png(), "image/png", "dropped.png", drop=True)
    page.wait_for(lambda: page.all('#chat-images img[alt="dropped.png"]'))
    file = tmp_path / "chosen.png"
    file.write_bytes(png())
    page.id("chat-file").send_keys(str(file))
    page.wait_for(lambda: page.all('#chat-images img[alt="chosen.png"]'))


def test_a_large_picture_is_made_smaller(chat: Chat) -> None:
    page = chat.page
    noise = random.Random(1)
    picture = png(3000, 400, noise.randbytes)
    assert len(picture) > 1 << 20
    chat.paste(picture, "image/png", "large.png")
    page.wait_for(lambda: page.all("#chat-images img"))
    image = page.all("#chat-images img")[0]
    page.wait_for(lambda: image.get_property("naturalWidth") == 2048)
    assert image.get_property("naturalHeight") == 273
    # What cannot be made smaller has its limit.
    chat.paste(b"GIF89a" + bytes(8 << 20), "image/gif", "moves.gif")
    page.wait_for(lambda: "moves.gif is too large" in page.text("toast"))
    assert len(page.all("#chat-images img")) == 1


def test_a_pasted_document_is_told_of(chat: Chat) -> None:
    chat.paste(b"%PDF-1.7", "application/pdf", "paper.pdf")
    chat.page.wait_for(lambda: "paper.pdf is no PNG" in chat.page.text("toast"))


def test_what_is_no_image_is_refused(chat: Chat) -> None:
    chat.paste(b"<svg onload='window.pwned=1'/>", "image/svg+xml", "<b>.svg")
    chat.page.wait_for(lambda: "<b>.svg is no PNG" in chat.page.text("toast"))
    assert chat.page.all("#chat-images img") == []


# ---- errors


def test_an_error_stands_in_the_place_of_the_answer(chat: Chat) -> None:
    page = chat.page
    chat.ask("demo: fail=usageLimitExceeded")
    error = page.all(".chat-error")[0]
    assert error.find_element("css selector", ".chat-error-text").text
    code, request = page.texts(".chat-error-facts code")
    assert code
    assert request.startswith("req-")
    before = page.texts(".chat-error-facts code")
    chat.press("Try again", ".chat-error")
    page.wait_for(
        lambda: (
            page.all(".chat-error") and page.texts(".chat-error-facts code") != before
        )
    )
    assert len(page.all(".entry")) == 2
    chat.wait_idle()
    assert chat.ask(says("better")) == "better"


def test_a_refusal_is_told_with_its_code(chat: Chat) -> None:
    page = chat.page
    page.expected.append("status of 4")
    page.script(
        """const picker = document.getElementById("chat-model");
        picker.append(new Option("nope", "nope"));
        picker.value = "nope";
        picker.dispatchEvent(new Event("change"));"""
    )
    chat.ask("hi")
    assert "model_not_found" in page.texts(".chat-error")[0]
    page.script("localStorage.clear()")


def test_a_model_and_an_effort_are_chosen(chat: Chat) -> None:
    page = chat.page
    default = chat.bridge.chat("demo: say=ok").json["model"]
    listed = chat.bridge.request("GET", "/v1/models").json["data"]
    names = {model["id"]: model["name"] for model in listed}
    page.wait_for(lambda: f"{names[default]} (default)" in page.text("chat-model"))
    other = next(model for model in names if model != default)
    page.id("chat-model").send_keys(names[other])
    page.id("chat-effort").send_keys("high")
    assert page.id("chat-effort").get_attribute("value") == "high"
    chat.ask(says("ok"))
    known = chat.bridge.request("GET", f"/v1/sessions/{chat.id}").json
    assert known["model"] == other
    # The session has it on any device.
    page.script("localStorage.clear()")
    page.browser.refresh()
    chat.wait_idle()
    page.wait_for(lambda: page.id("chat-model").get_attribute("value") == other)


def test_a_bridge_that_is_gone_is_told(start_bridge: StartBridge, page: Page) -> None:
    page.expected += [
        "ERR_CONNECTION_REFUSED",
        "ERR_INCOMPLETE_CHUNKED_ENCODING",
        "ERR_CONNECTION_RESET",
        "ERR_EMPTY_RESPONSE",
    ]
    bridge = start_bridge()
    chat = Chat(page, bridge).open()
    chat.send("demo: tokens=5000 delay=20")
    page.wait_for(lambda: chat.answers() and "t3" in chat.answers()[-1])
    bridge.kill()
    page.wait_for(lambda: page.all(".chat-error"))
    assert "ended before the answer" in page.texts(".chat-error")[0]
    assert "t3" in chat.answers()[-1]


# ---- nothing becomes markup


def assert_harmless(page: Page) -> None:
    assert page.script("return window.pwned") is None
    assert (
        page.script(
            """return [...document.querySelectorAll("#view-chat *")].filter((node) =>
            ["SCRIPT", "IFRAME", "STYLE", "OBJECT", "EMBED", "LINK", "META", "BASE", "VIDEO"].includes(node.tagName)
            || (node.tagName === "IMG" && !node.src.startsWith("data:image/"))
            || [...node.attributes].some((one) => one.name.startsWith("on"))
            || (node.tagName === "A" && node.target && !["http:", "https:", "mailto:"].includes(node.protocol))
            || (node.tagName === "A" && node.target && node.rel !== "noopener noreferrer")
            ).map((node) => node.outerHTML.slice(0, 200))"""
        )
        == []
    )


def test_hostile_answers_stay_text(chat: Chat) -> None:
    page = chat.page
    for text in HOSTILE:
        chat.ask(says(text))
        assert_harmless(page)
    page.browser.refresh()
    chat.wait_idle()
    page.wait_for(lambda: len(chat.answers()) >= 20)
    page.script(
        "document.querySelectorAll('.entry.answer .md-reference').forEach((link) => link.click())"
    )
    assert_harmless(page)


def test_hostile_names_and_titles_stay_text(free: Bridge, page: Page) -> None:
    name = 'x"><img src=x onerror="window.pwned=1">'
    assert free.chat(HOSTILE[1], session_id=name).status == 200
    chat = Chat(page, free).open(name)
    page.wait_for(lambda: page.text("h-chat") == HOSTILE[1])
    assert chat.questions() == [HOSTILE[1]]
    chat.write(HOSTILE[0])
    chat.paste(png(), "image/png", HOSTILE[0])
    page.wait_for(lambda: page.all("#chat-images img"))
    chat.ask(HOSTILE[0])
    assert_harmless(page)


# ---- the renderer

FUZZ = """
const [seed, rounds] = arguments;
let state = seed;
const random = () => { state = (state * 1664525 + 1013904223) >>> 0; return state / 4294967296; };
const parts = ["a", "b c", "中文", "😀", "*", "**", "_", "~~", "`", "``", "```", "[", "]", "](", "(", ")", "!", "![", "<", ">",
  "<br>", "<b>", "http://x.y", "&amp;", "&", "\\\\", "\\n", "\\n\\n", "\\n- ", "\\n  - ", "\\n1. ", "\\n   ", "\\n    ", "\\n> ",
  "\\n# ", "\\n```js\\n", "\\n```\\n", "\\n|a|b|\\n|-|-|\\n", "|", "\\n---\\n", "\\n===\\n", "-", " ", "\\t", "\\r\\n", "\\n* ", "+ ",
  "[x] ", "[ ](", "\\u202e", "javascript:", "'", "~~~\\n", "h", "\\0"];
const texts = { copy: "Copy", copyCode: "Copy", code: "Code", table: "Table", done: "done", open: "open" };
const view = () => new markdown.View(document.createElement("div"), { texts, copy() {} });
for (let round = 0; round < rounds; round += 1) {
  let text = "";
  for (let count = Math.floor(random() * 70); count > 0; count -= 1) text += parts[Math.floor(random() * parts.length)];
  const whole = view();
  whole.show(text);
  const grown = view();
  for (let at = 0; at < text.length; at += 1 + Math.floor(random() * 12)) grown.show(text.slice(0, at), false);
  grown.show(text);
  if (whole.container.innerHTML !== grown.container.innerHTML) {
    return JSON.stringify([text, whole.container.innerHTML, grown.container.innerHTML]);
  }
  if (whole.container.querySelector("img, script, [onerror], a:not([rel])")) return JSON.stringify([text, "markup"]);
}
return null;
"""


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_what_grows_ends_as_what_is_shown_at_once(chat: Chat, seed: int) -> None:
    assert chat.page.script(FUZZ, seed, 1500) is None


# Each of these, repeated, took some Markdown renderer a time that grows with the square of its length, or its stack.
REPEATED = [
    *(
        "> ",
        ">",
        "- ",
        "1. ",
        "* * ",
        "[",
        "![",
        "*",
        "*a ",
        "_a*",
        "**a *",
        "`",
        "`a``",
    ),
    *(
        "<",
        "<a ",
        "<http:",
        "<!--",
        "[a](",
        "[a](b",
        "[a](<b",
        '[a](b "',
        "![a](b)[c](d)",
    ),
    *(
        "http://",
        "http://(",
        "~~a",
        "|",
        "a|b\n-|-\n",
        "a\n=\n",
        "# ",
        "-\n\n",
        "a  \n",
        " - a\n  ",
    ),
    *(
        "```\n",
        "> a\n\n",
        "&amp;",
        "*x*",
        "a***b",
        "- - -\n",
        "> - a\n",
        "[![a](b)](c)",
        "中*文",
        "😀*",
    ),
]


def test_no_text_hangs_the_renderer(chat: Chat) -> None:
    """Where it took more than the time that WebDriver gives a script, the test would end with that."""
    chat.page.browser.set_script_timeout(60)
    counted = chat.page.script(
        """
        const texts = { copy: "", copyCode: "", code: "", table: "", done: "", open: "" };
        const around = ["*", "_", "***", "~~"].map((unit) => [unit.repeat(50000 / unit.length), "a", unit.repeat(50000 / unit.length)].join(""));
        return arguments[0].map((unit) => unit.repeat(Math.floor(100000 / unit.length))).concat(around).map((text) => {
          const view = new markdown.View(document.createElement("div"), { texts, copy() {} });
          view.show(text);
          let [deepest, nodes] = [0, 0];
          const walker = document.createTreeWalker(view.container);
          while (walker.nextNode()) nodes += 1;
          for (let node = view.container; node; node = node.lastChild) deepest += 1;
          return [deepest, nodes];
        });
        """,
        REPEATED,
    )
    for unit, (deepest, nodes) in zip([*REPEATED, *"*_*~"], counted, strict=True):
        assert deepest < 80, unit
        assert nodes < 150_000, unit


MARKDOWN = """# A plan

Here is **bold**, *em*, `code`, ~~gone~~, a [link](https://example.com/x) and <b>no markup</b>.

1. First
   - nested **item**
   - [x] done
   - [ ] open
2. Second

```python
def hello(name): return f"Hello {name}, this line is long and scrolls within its own box, whatever the width"
```

| Name | Value |
|:--|--:|
| a | 1 |

> A quote

[app.py](</work/my app.py:12>), https://example.org/a?b=c. ![a picture](https://example.org/p.png)
"""


def test_markdown_becomes_what_it_means(chat: Chat) -> None:
    chat.ask(says(MARKDOWN))
    found = chat.page.script(
        """const md = [...document.querySelectorAll(".entry.answer .md")].pop();
        const texts = (selector) => [...md.querySelectorAll(selector)].map((node) => node.textContent);
        return {
          heading: texts("h3"), strong: texts("strong"), em: texts("em"), del: texts("del"), code: texts("p > code"),
          items: texts("ol > li > p"), nested: texts("ol ul li p"), boxes: [...md.querySelectorAll("input")].map((box) => box.checked),
          block: texts("pre code"), language: texts(".md-code-head span"), cells: texts("td"), quote: texts("blockquote p"),
          links: [...md.querySelectorAll("a")].map((link) => [link.textContent, link.href]), files: texts(".md-reference"),
          text: texts("p")[0],
        };"""
    )
    assert found["heading"] == ["A plan"]
    assert found["strong"] == ["bold", "item"]
    assert (found["em"], found["del"], found["code"]) == (["em"], ["gone"], ["code"])
    assert found["items"] == ["First", "Second"]
    assert found["nested"] == ["nested item", "done", "open"]
    assert found["boxes"] == [True, False]
    assert found["block"][0].startswith("def hello(name)")
    assert found["language"] == ["python"]
    assert found["cells"] == ["Name", "Value", "a", "1"]
    assert found["quote"] == ["A quote"]
    assert found["links"] == [
        ["link", "https://example.com/x"],
        ["https://example.org/a?b=c", "https://example.org/a?b=c"],
        ["a picture", "https://example.org/p.png"],
    ]
    assert found["files"] == ["app.py"]
    assert "<b>no markup</b>" in found["text"]


def test_answers_and_code_are_copied_as_they_were_written(chat: Chat) -> None:
    page = chat.page
    page.command(
        "Browser.grantPermissions",
        permissions=["clipboardReadWrite", "clipboardSanitizedWrite"],
    )
    chat.ask(says(MARKDOWN))

    def copied() -> str:
        return str(
            page.browser.execute_async_script(
                "navigator.clipboard.readText().then(arguments[0])"
            )
        )

    chat.press("Copy the code", ".entry.answer")
    page.wait_for(lambda: copied() == MARKDOWN.split("```")[1].strip("\npython"))
    chat.press("Copy", ".entry.answer")
    page.wait_for(lambda: copied() == MARKDOWN.strip())


# ---- looks


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_chat_looks(
    chat: Chat, demo: Bridge, page: Page, screenshots: Path, scheme: str
) -> None:
    page.scheme(scheme)
    page.screenshot(screenshots / f"chat-empty-{scheme}.png")
    chat.ask("demo: reasoning=3 " + says(MARKDOWN).removeprefix("demo: "))
    chat.ask("demo: fail=usageLimitExceeded")
    for width in (1440, 768, 390, 320):
        page.size(width)
        assert chat.overflow() == [], width
        page.screenshot(screenshots / f"chat-{scheme}-{width}.png")


def test_the_chat_is_used_with_the_keyboard(chat: Chat) -> None:
    page = chat.page
    chat.ask(says(MARKDOWN))
    page.script("document.querySelector('.skip').focus()")
    names = []
    for _ in range(90):
        page.press(Keys.TAB)
        focused = page.focused()
        if focused.tag_name == "body":
            break
        assert focused.accessible_name, focused.get_attribute("outerHTML")
        names.append(focused.accessible_name)
    for wanted in (
        "New chat",
        "Edit",
        "Copy the code",
        "Answer again",
        "Message",
        "Model",
        "Effort",
    ):
        assert wanted in names, names


def test_the_page_stays_where_a_person_reads(chat: Chat) -> None:
    page = chat.page
    chat.send("demo: tokens=3000 delay=2")
    page.wait_for(lambda: page.script("return scrollY") > 100)
    page.script("scrollTo(0, 0)")
    page.wait_for(lambda: page.is_shown("chat-jump"))
    chat.wait_idle()
    assert page.script("return scrollY") == 0
    page.id("chat-jump").click()
    page.wait_for(lambda: not page.is_shown("chat-jump"))
    assert page.script(
        "return innerHeight + scrollY >= document.documentElement.scrollHeight - 60"
    )
