"""What a console is told of exchanges: facts, and the reporter."""
