"""Illustrate a blog post: text, an image, speech and a video, in one directory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate

from examples.service import runcrate_service
from langchain_runcrate import (
    ChatRuncrate,
    RuncrateImageTool,
    RuncrateSpeechTool,
    RuncrateVideoTool,
)

FOLDER = Path("demo-output") / "post"
TITLE = "A night at the lighthouse"
NOTES = """The lighthouse at Cape Grim was built in 1871. Its keeper climbed 180 steps every
evening to light the lamp. Since 1990 the light runs by itself. Visitors can spend a night in the
keeper's room and watch the storms come in from the west."""

# What the model of the emulator says.
TEASER = (
    "The lighthouse at Cape Grim has shone since 1871, and by itself since 1990. Spend a night in "
    "the keeper's room and watch the storms come in."
)


def main() -> None:
    with runcrate_service(on_chat=simulated):
        model = ChatRuncrate(model="deepseek-ai/DeepSeek-V3")
        prompt = ChatPromptTemplate.from_messages(
            [("human", "Summarize these notes in two sentences:\n\n{notes}")]
        )
        teaser = (prompt | model | StrOutputParser()).invoke({"notes": NOTES})
        print(f"Text:   {teaser}")

        image = make(
            RuncrateImageTool(output_dir=FOLDER),
            prompt=f"{TITLE}, oil painting, stormy sea",
            width=768,
            height=512,
            seed=7,
        )
        sound = make(RuncrateSpeechTool(output_dir=FOLDER, voice="af_heart"), text=teaser)
        video = make(
            RuncrateVideoTool(output_dir=FOLDER, poll_interval=0.5),
            prompt="The beam of a lighthouse turns over the sea",
            image=image,
            duration=4,
        )

        post = FOLDER / "post.md"
        post.write_text(
            f"# {TITLE}\n\n![{TITLE}]({image})\n\n{teaser}\n\n{NOTES}\n\n"
            f"[Listen]({sound}) or [watch]({video}).\n",
            encoding="utf-8",
        )
        print(f"\nThe post is {post}.")


def simulated(request: Any) -> Any:
    """Reply in place of a model, on the emulator."""
    from runcrate_emulator import Reply  # noqa: PLC0415 - the real service needs no emulator

    return Reply.text(TEASER) if NOTES in request.prompt else None


def make(tool: Any, **arguments: Any) -> str:
    """Call a tool as an agent does; return the name of the file that it made."""
    call = {"name": tool.name, "args": arguments, "id": "call", "type": "tool_call"}
    message = tool.invoke(call)
    print(f"Tool:   {message.content}")
    tool.close()
    if message.status == "error":
        raise SystemExit(1)
    return Path(message.artifact["files"][0]["path"]).name


if __name__ == "__main__":
    main()
