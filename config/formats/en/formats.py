"""As the console writes times: to be sorted, copied, and never mistaken for another zone's."""

DATE_FORMAT = "Y-m-d"
DATETIME_FORMAT = "Y-m-d H:i:s e"
