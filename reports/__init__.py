"""What is kept of the meeting rooms: it pulls, keeps and answers."""
