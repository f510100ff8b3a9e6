"""LangChain: a chain that streams, then an agent that calls tools."""

from __future__ import annotations

from langchain.agents import create_agent
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.tools import tool

from examples.service import runcrate_service
from langchain_runcrate import ChatRuncrate

FACTS = """The RTX 4090 has 24 GB of memory. The A100 has 80 GB of memory and costs less than an
H100. The H100 has 80 GB of memory and is about twice as fast as the A100 for training."""


@tool
def gigabytes_needed(parameters: float, bits: int = 16) -> float:
    """Return the gigabytes of GPU memory that the parameters of a language model need."""
    return parameters * bits / 8 / 1e9


@tool
def training_hours(billion_tokens: float, gpu_count: int) -> float:
    """Return the hours that fine-tuning on so many tokens takes with so many GPUs."""
    return round(billion_tokens * 40 / gpu_count, 1)


def main() -> None:
    with runcrate_service():
        model = ChatRuncrate(model="deepseek-ai/DeepSeek-V3")

        prompt = ChatPromptTemplate.from_messages(
            [("system", "Answer from these facts:\n{facts}"), ("human", "{question}")]
        )
        chain = prompt | model | StrOutputParser()
        question = "How much memory does the A100 have?"
        print(f"You:   {question}\nModel: ", end="")
        for piece in chain.stream({"facts": FACTS, "question": question}):
            print(piece, end="", flush=True)
        print("\n")

        agent = create_agent(model, tools=[gigabytes_needed, training_hours])
        question = "How many gigabytes do 70 billion parameters need at 8 bits?"
        print(f"You:   {question}")
        result = agent.invoke({"messages": [("user", question)]})
        for message in result["messages"][1:]:
            for call in getattr(message, "tool_calls", []):
                print(f"Agent: calls {call['name']}({call['args']})")
            if message.type == "tool":
                print(f"Tool:  {message.content}")
        print(f"Agent: {result['messages'][-1].content}")
        usage = result["messages"][-1].usage_metadata
        print(f"       ({usage['input_tokens']} tokens in, {usage['output_tokens']} out)")


if __name__ == "__main__":
    main()
