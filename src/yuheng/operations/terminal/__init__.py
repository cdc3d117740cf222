"""The operator's terminal 工位终端: registered tablets, who is signed in there, what they report."""
