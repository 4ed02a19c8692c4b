"""What the tests stand on: apps started as learners start them, and visitors who click by the words on the page."""
