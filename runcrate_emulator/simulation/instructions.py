"""Telling the sentences that instruct a model from the sentences that inform it."""

import re
from typing import Final

_OPENINGS: Final = re.compile(
    r"^(?:please |now,? |then,? |also,? |so,? |only |kindly )*(?:"
    r"you(?:'re| are| have| will| must| should| need| can| may| only| always| never)\b|"
    r"your (?:task|job|role|goal|response|answer|output|objective)\b|"
    r"(?:i|we) (?:want|need|wish|have (?:also )?(?:provided|the "
    r"opportunity|an opportunity)|would like)\b|"
    r"(?:given|considering) (?:the|a|an|this|these|that|following)\b|"
    r"(?:based|relying) (?:only |solely |strictly )?(?:up)?on\b|"
    r"using (?:only |just )?(?:the|these|this)\b.*\b(?:context|"
    r"text|above|below|information|choices)|"
    r"(?:below|here|above)(?:'s| is| are)\b|strict output\b|the following\b|in the following\b|"
    r"if (?:you|the (?:answer|context|question|information|existing|assistant|user))\b|"
    r"the (?:assistant|ai|model|bot|chatbot)\b|"
    r"when (?:you|in doubt|answering|referencing|responding|the answer)\b|"
    r"(?:some|several|a|an|the|a list of|current|multiple) [\w\s]{0,40}(?:is|are) "
    r"(?:also )?(?:given|provided|shown|listed|below)\b|"
    r"context information (?:is|from)\b|every answer\b|the (?:answer|"
    r"output|response|result) (?:should|must|has to)\b|"
    r"each (?:question|item|document|answer|source|line)\b|do ?n[o']t\b|"
    r"let'?s (?:try|think|begin|start|go)\b|for example\b|example\b|"
    r"(?:answer|reply|respond|return|output|provide|write|generate|create|produce|give|make|use|"
    r"summari[sz]e|extract|translate|classify|categori[sz]e|rewrite|rephrase|paraphrase|list|"
    r"choose|select|pick|rank|order|rate|score|grade|evaluate|judge|assess|critique|criticize|compare|decide|"
    r"determine|identify|include|exclude|ensure|format|complete|continue|think|consider|note|"
    r"remember|follow|cite|quote|mention|refer|explain|describe|tell|say|state|suggest|propose|"
    r"avoid|never|always|keep|be|try|limit|break|focus|pay|act|read|review|analy[sz]e|check|"
    r"verify|refine|improve|fill|convert|transform|turn|take|start|begin|finish|stop|ask|find|"
    r"show|name|count|repeat|mask|place|put|add|remove|stick|adhere)\b)",
    re.IGNORECASE,
)
_ALWAYS: Final = re.compile(
    r"^(?:please )?(?:extract|summari[sz]e|classify|translate|rewrite|rephrase|paraphrase|"
    r"you(?:'re| are| will| must| should))\b",
    re.IGNORECASE,
)
"""Openings that nobody but a model is addressed with."""
_ADDRESSES_MODEL: Final = re.compile(
    r"\b(?:context|question|quer(?:y|ies)|answer|respon[sd]\w*|keywords?|titles?|summar\w+|json|"
    r"format\w*|assistant|user|prior knowledge|document|documents|passage|passages|text|sources?|"
    r"tools?|instructions?|sentences?|concise\w*|bullet|citations?|cite|words|output|step by step|"
    r"examples?|triplets?|numbers?|scores?|know|helpful|language|choices?|conversation|"
    r"information|yes|no|markdown|code|expert|task|schema|following|feedback|only|"
    r"docs|themes?|stop ?words|list|details|relevant|truthfully|"
    r"(?-i:[A-Z]{2,}) or (?-i:[A-Z]{2,}))\b",
    re.IGNORECASE,
)


def instructs(sentence: str) -> bool:
    """Whether a sentence tells the model what to do, rather than something about the world.

    Both a typical opening and a word about the work itself are needed, unless the opening leaves
    no doubt, so that `Use the key from the dashboard` in a manual stays information.
    """
    text = sentence.strip().lstrip("-*#>•0123456789.) ")
    if _ALWAYS.search(text):
        return True
    return bool(_OPENINGS.search(text) and _ADDRESSES_MODEL.search(text))
