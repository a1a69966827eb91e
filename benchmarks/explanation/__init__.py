"""Whether what an explanation shows is what moved the answer: deletion and insertion curves."""
