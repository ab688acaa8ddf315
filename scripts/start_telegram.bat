@ECHO OFF
REM Starts Coxswain: the Telegram command process, or the console without a token.
SETLOCAL
CD /D "%~dp0.."
CALL "%~dp0setup.bat" || EXIT /B 1
".venv\Scripts\python.exe" bot.py %*
EXIT /B %ERRORLEVEL%
